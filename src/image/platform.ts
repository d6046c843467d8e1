import { open } from 'node:fs/promises';
import { DaemonError } from '../base/errors.ts';
import type { Descriptor, OciImageConfig, Platform } from './oci-types.ts';

/** Levels of the x86-64 psABI above the first, lowest first, by what proc_cpuinfo(5) calls the features each adds. */
const X86_LEVELS: readonly (readonly [variant: string, flags: readonly string[]])[] = [
  ['v2', ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3']],
  ['v3', ['abm', 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'movbe', 'xsave']],
  ['v4', ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']],
];

/** The variants of amd64 above v1 that a processor has, highest first. @param cpuinfo the text of /proc/cpuinfo, or its start. */
export function x86Levels(cpuinfo: string): string[] {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? []);
  const levels: string[] = [];
  for (const [variant, needed] of X86_LEVELS) {
    if (!needed.every((flag) => flags.has(flag))) break;
    levels.unshift(variant);
  }
  return levels;
}

let known: Promise<Platform> | undefined;

/** This machine, by OCI's names (Go's). */
export async function hostPlatform(): Promise<Platform> {
  return await (known ??= findHostPlatform());
}

async function findHostPlatform(): Promise<Platform> {
  const architecture = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
  if (architecture !== 'amd64') return { os: 'linux', architecture };
  try {
    // The first processor is enough, and the file is long on a large machine.
    const file = await open('/proc/cpuinfo', 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(8192), 0, 8192, 0);
      return { os: 'linux', architecture, newer: x86Levels(buffer.toString('latin1', 0, bytesRead)) };
    } finally {
      await file.close();
    }
  } catch {
    return { os: 'linux', architecture };
  }
}

/** Reads `os/architecture[/variant]`. @throws InvalidArgument. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || rest.length > 0)
    throw new DaemonError('InvalidArgument', `read platform "${text}": must be os/architecture or os/architecture/variant`);
  return { os, architecture, variant };
}

/**
 * The platform that a text names. Where it is this machine's, without a variant, it has what the processor runs beyond: of an
 * image for several levels the highest that runs here is taken. `linux/amd64/v1` has no more than its name says.
 */
export async function namedPlatform(text: string): Promise<Platform> {
  const named = parsePlatform(text);
  const host = await hostPlatform();
  return named.variant === undefined && named.os === host.os && named.architecture === host.architecture ? host : named;
}

/** What a name without a variant means: `linux/arm64` is `linux/arm64/v8`, `linux/arm` v7 and `linux/amd64` v1. */
function variantOf({ architecture, variant }: Platform): string {
  return variant ?? { arm64: 'v8', arm: 'v7', amd64: 'v1' }[architecture] ?? '';
}

function demandsOf({ platform }: Descriptor): number {
  return platform?.demands?.length ?? 0;
}

function isUnnamed({ platform }: Descriptor): boolean {
  return platform === undefined || (platform.os === '' && platform.architecture === '');
}

/**
 * The entries of an index that may be for a platform, best first: the same variant, older ones, then newer ones that the
 * processor has too, highest first (so that every machine takes the same image, where there is one for all). Of equal ones those
 * come first that ask for nothing more (os.version, os.features, features): on Linux nothing says what fulfils that, and both peers
 * pass over it. Entries without a platform come last; `unknown/unknown` (attestations) never do.
 */
export function candidatesFor(manifests: readonly Descriptor[], wanted: Platform): Descriptor[] {
  const variant = variantOf(wanted);
  const ranks = new Map((wanted.newer ?? []).map((newer, index) => [newer, 1_000_000 + index]));
  const rankOf = ({ platform = wanted }: Descriptor): number => {
    const own = variantOf(platform);
    if (own === variant) return 0;
    return own < variant ? 1000 - Number(/\d+/.exec(own)?.[0] ?? 0) : (ranks.get(own) ?? Infinity);
  };
  const fitting = manifests.filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture);
  return [
    ...fitting.filter((entry) => rankOf(entry) < Infinity).sort((a, b) => rankOf(a) - rankOf(b) || demandsOf(a) - demandsOf(b)),
    ...manifests.filter(isUnnamed),
  ];
}

/** The best entry of an index for a platform. */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  return candidatesFor(manifests, wanted)[0];
}

export function showPlatform({ os, architecture, variant, demands = [] }: Platform): string {
  const name = [os, architecture, ...(variant === undefined || variant === '' ? [] : [variant])].join('/');
  return demands.length === 0 ? name : `${name} (${demands.slice(0, MAX_SHOWN_DEMANDS).join(', ').slice(0, 100)})`;
}

/**
 * The platform of an image that is not for this machine. One without an index comes as it is, and its programs may run all the
 * same where the machine emulates: so that is worth a warning and no refusal, as with CRI-O.
 */
export function foreignPlatform({ os, architecture }: Pick<OciImageConfig, 'os' | 'architecture'>, machine: Platform): string | undefined {
  const own = { os: os || machine.os, architecture: architecture || machine.architecture };
  return own.os === machine.os && own.architecture === machine.architecture ? undefined : `${own.os}/${own.architecture}`;
}

const MAX_SHOWN = 20;
const MAX_SHOWN_DEMANDS = 4;

/** Says what an index has, where it has nothing for a platform. @throws NotFound. */
export function noImageFor(manifests: readonly Descriptor[], wanted: Platform): never {
  const there = manifests
    .slice(0, MAX_SHOWN)
    .map(({ platform }) => (platform === undefined ? 'one without a platform' : showPlatform(platform)));
  if (manifests.length > MAX_SHOWN) there.push(`and ${manifests.length - MAX_SHOWN} more`);
  const runs = wanted.newer === undefined || wanted.newer.length === 0 ? '' : ` (this processor has ${wanted.newer.join(', ')} too)`;
  throw new DaemonError('NotFound', `no image is for ${showPlatform(wanted)}${runs}, there are ${there.join(', ') || 'none'}`);
}
