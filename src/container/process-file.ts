import { readFile, writeFile } from 'node:fs/promises';
import { fail, unlessMissing } from '../base/errors.ts';
import type { OciProcess } from '../ocispec/oci-types.ts';
import { specFromJson, specToJson } from '../ocispec/spec-json.ts';
import type { Bundle } from './bundle.ts';

/**
 * Keeps the OCI process object of a container beside its record, where only the daemon writes: execs take their user, their
 * capabilities and their confinement from it, and the bundle is what the runtime and the monitor work in.
 */
export async function writeProcess({ processFile }: Bundle, process: OciProcess): Promise<void> {
  await writeFile(processFile, specToJson(process), { mode: 0o600 });
}

/** @throws FailedPrecondition where it was not kept. */
export async function readProcess({ processFile }: Bundle, id: string): Promise<OciProcess> {
  const text = await unlessMissing(readFile(processFile, 'utf8'), undefined);
  return text === undefined
    ? fail('FailedPrecondition', `exec container ${id}: what its processes may do is not on record; the container must be made again`)
    : (specFromJson(text) as OciProcess);
}
