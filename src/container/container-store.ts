import type { Log } from '../base/log.ts';
import { ObjectStore } from '../base/object-store.ts';
import { RecordStore } from '../base/record-store.ts';
import { readContainerRecord, readContainerState, type ContainerRecord, type ContainerState } from './container.ts';

/** The version of the records this daemon writes. */
export const CONTAINER_RECORD_VERSION = 1;

export type ContainerStore = ObjectStore<ContainerRecord, ContainerState>;

/** The records of all containers, one directory each; bad ones are moved to `badDirectory`. */
export function containerStore(options: { readonly directory: string; readonly badDirectory: string; readonly log: Log }): ContainerStore {
  const disk = new RecordStore({
    ...options,
    kind: 'container',
    version: CONTAINER_RECORD_VERSION,
    readRecord: readContainerRecord,
    readState: readContainerState,
  });
  return new ObjectStore(disk);
}
