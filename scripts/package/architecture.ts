/** What a release is for, by Debian's name, and what that is called elsewhere: by Node, and in the names of GNU's tools. */
export const ARCHITECTURES = {
  amd64: { node: 'x64', gnu: 'x86_64-linux-gnu' },
  arm64: { node: 'arm64', gnu: 'aarch64-linux-gnu' },
} as const satisfies Readonly<Record<string, { readonly node: NodeJS.Architecture; readonly gnu: string }>>;

export type Architecture = keyof typeof ARCHITECTURES;

/** This machine's. @throws where nothing is made for it. */
export function ownArchitecture(): Architecture {
  for (const [name, { node }] of Object.entries(ARCHITECTURES)) if (node === process.arch) return name as Architecture;
  throw new Error(`this machine is ${process.arch}, must be one of ${Object.keys(ARCHITECTURES).join(', ')}, or say --architecture`);
}
