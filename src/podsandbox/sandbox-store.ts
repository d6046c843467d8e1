import type { Log } from '../base/log.ts';
import { ObjectStore } from '../base/object-store.ts';
import { RecordStore } from '../base/record-store.ts';
import { readSandboxRecord, readSandboxState, type SandboxRecord, type SandboxState } from './sandbox.ts';

/** The version of the records this daemon writes. */
export const SANDBOX_RECORD_VERSION = 1;

export type SandboxStore = ObjectStore<SandboxRecord, SandboxState>;

/** The records of all sandboxes, one directory each; bad ones are moved to `badDirectory`. */
export function sandboxStore(options: { readonly directory: string; readonly badDirectory: string; readonly log: Log }): SandboxStore {
  const disk = new RecordStore({
    ...options,
    kind: 'sandbox',
    version: SANDBOX_RECORD_VERSION,
    readRecord: readSandboxRecord,
    readState: readSandboxState,
  });
  return new ObjectStore(disk);
}
