import { readFile, writeFile } from 'node:fs/promises';
import { BoundedMap } from '../base/bounded-map.ts';
import { fail, messageOf, unlessMissing } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { OciProcess } from '../ocispec/oci-types.ts';
import { readOciProcess } from '../ocispec/read-process.ts';
import { specFromJson, specToJson } from '../ocispec/spec-json.ts';
import type { Bundle } from './bundle.ts';

/**
 * Keeps the OCI process object of a container beside its record, where only the daemon writes: execs take their user, their
 * capabilities and their confinement from it, and the bundle is what the runtime and the monitor work in.
 */
export async function writeProcess({ processFile }: Bundle, process: OciProcess): Promise<void> {
  await writeFile(processFile, specToJson(process), { mode: 0o600 });
}

/** Of containers in which commands run again and again (probes); 2 KB each, more with a long environment. */
const MOST_KEPT = 200;
const kept = new BoundedMap<string, OciProcess>(MOST_KEPT);

/** The process object of a container, read from the disk at the first time. @throws FailedPrecondition where it was not kept, or not well. */
export async function processOf(bundle: Bundle, id: string): Promise<OciProcess> {
  const process = kept.get(id) ?? (await readProcess(bundle, id));
  kept.set(id, process);
  return process;
}

/** The container is gone. */
export function forgetProcess(id: string): void {
  kept.delete(id);
}

async function readProcess({ processFile, specFile }: Bundle, id: string): Promise<OciProcess> {
  const refuse = (why: string): never => fail('FailedPrecondition', `exec container ${id}: ${why}; the container must be made again`);
  const read = async (file: string): Promise<string | undefined> => await unlessMissing(readFile(file, 'utf8'), undefined);
  const own = await read(processFile);
  // The daemons until November 2026 did not keep it: their containers have it in their spec alone, which root alone may write.
  const text = own ?? (await read(specFile));
  if (text === undefined) return refuse('what its processes may do is not on record');
  try {
    if (own !== undefined) return readOciProcess(new Field(specFromJson(own), 'process.json'));
    return readOciProcess(new Field(specFromJson(text), 'config.json').at('process'));
  } catch (error) {
    return refuse(`what its processes may do cannot be read: ${messageOf(error)}`);
  }
}
