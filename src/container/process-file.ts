import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, unlessMissing } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { OciProcess } from '../ocispec/oci-types.ts';
import { specFromJson, specToJson } from '../ocispec/spec-json.ts';

/** Where a container's records are. */
type Directories = { readonly directoryOf: (id: string) => string };

function fileOf(store: Directories, id: ContainerId): string {
  return join(store.directoryOf(id), 'process.json');
}

/**
 * Keeps the OCI process object of a container beside its record, where only the daemon writes: execs take their user, their
 * capabilities and their confinement from it, and the bundle is what the runtime and the monitor work in.
 */
export async function writeProcess(store: Directories, id: ContainerId, process: OciProcess): Promise<void> {
  await writeFile(fileOf(store, id), specToJson(process), { mode: 0o600 });
}

/** @throws FailedPrecondition where it was not kept. */
export async function readProcess(store: Directories, id: ContainerId): Promise<OciProcess> {
  const text = await unlessMissing(readFile(fileOf(store, id), 'utf8'), undefined);
  return text === undefined
    ? fail('FailedPrecondition', `exec container ${id}: what its processes may do is not on record; the container must be made again`)
    : (specFromJson(text) as OciProcess);
}
