import { createHash } from 'node:crypto';
import type { Digest } from '../base/ids.ts';

/** The chain id of a layer on its parents. OCI image spec, config.md, Layer ChainID. */
export function chainId(parent: Digest | undefined, diffId: Digest): Digest {
  if (parent === undefined) return diffId;
  return `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}` as Digest;
}

/** Chain ids of all layers, lowest first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) chains.push(chainId(chains.at(-1), diffId));
  return chains;
}
