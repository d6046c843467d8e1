import { join } from 'node:path';
import { MonitoredBundle } from '../ociruntime/monitored-bundle.ts';

/** The places of one container on the disk: its bundle, which a reboot takes, and what is kept beside its record. */
export class Bundle extends MonitoredBundle {
  readonly #recordDirectory: string;

  /** @param recordDirectory where `record.json` and `state.json` are. */
  constructor(directory: string, recordDirectory: string) {
    super(directory, join(recordDirectory, 'persist'));
    this.#recordDirectory = recordDirectory;
  }

  /** The OCI process object: execs take their user and their rights from it. */
  get processFile(): string {
    return join(this.#recordDirectory, 'process.json');
  }

  /** Where a checkpoint is put together: it is there while one is being written. May take as much as the container's memory. */
  get checkpoint(): string {
    return join(this.#recordDirectory, 'checkpoint');
  }

  /** The unpacked archive that the container is restored from. */
  get restore(): string {
    return join(this.#recordDirectory, 'restore');
  }

  /** Where the root file system is mounted. */
  get rootfs(): string {
    return join(this.directory, 'rootfs');
  }

  /** Where the image of one of its mounts is mounted. */
  imageVolume(index: number): string {
    return join(this.directory, 'image-volumes', String(index));
  }
}
