import type { ImageRecord } from './image-record.ts';
import { parseReference, repositoryOf } from './reference.ts';

/**
 * What a container's image_ref says: `repository@digest`, by which people and scanners find what runs (it becomes imageID in
 * the pod's status). Of several: under the name that the user wrote, and of an index rather than of the manifest in it, since
 * that is what the tag names. The id only where the image has no digest, as one that was loaded without.
 * @param asked the names of the request, the user's own first; the kubelet's is often an id
 */
export function imageRefOf({ id, digests, names, manifestDigest }: ImageRecord, ...asked: readonly string[]): string {
  for (const name of [...asked, ...names]) {
    const reference = referenceOf(name);
    if (reference === undefined) continue;
    const repository = repositoryOf(reference);
    const ofName = digests.filter((digest) => digest.startsWith(`${repository}@`));
    const exact = ofName.find((digest) => digest.endsWith(`@${reference.digest ?? ''}`));
    const found = exact ?? firstOf(ofName, manifestDigest);
    if (found !== undefined) return found;
  }
  return firstOf(digests, manifestDigest) ?? id;
}

function firstOf(digests: readonly string[], manifestDigest: string): string | undefined {
  return digests.find((digest) => !digest.endsWith(`@${manifestDigest}`)) ?? digests[0];
}

function referenceOf(name: string): ReturnType<typeof parseReference> | undefined {
  try {
    return name === '' ? undefined : parseReference(name);
  } catch {
    return undefined; // an id
  }
}
