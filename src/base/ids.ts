import { randomBytes } from 'node:crypto';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type SandboxId = Branded<'SandboxId'>;
export type ContainerId = Branded<'ContainerId'>;
/** The digest of an image's config, `sha256:` and 64 hex digits. */
export type ImageId = Branded<'ImageId'>;
/** `sha256:` and 64 hex digits. */
export type Digest = Branded<'Digest'>;

/** A fresh object id: 64 hex digits, as the kubelet and cAdvisor expect them in cgroup names. */
function freshId(): string {
  return randomBytes(32).toString('hex');
}

export const newSandboxId = (): SandboxId => freshId() as SandboxId;
export const newContainerId = (): ContainerId => freshId() as ContainerId;

/** Whether a file or directory name is an object id of ours. */
export function isObjectId(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
