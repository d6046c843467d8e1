import { join } from 'node:path';

/**
 * The directory that a runtime and conmon work in for one container (OCI runtime spec, "Filesystem Bundle"), and the one where
 * conmon keeps how the container has ended, in its files `exit` and `oom` (see readExit).
 */
export class MonitoredBundle {
  readonly directory: string;
  readonly persistDirectory: string;

  constructor(directory: string, persistDirectory: string) {
    this.directory = directory;
    this.persistDirectory = persistDirectory;
  }

  /** The container's spec. */
  get specFile(): string {
    return join(this.directory, 'config.json');
  }

  /** The pid of the container's first process, from the runtime. */
  get pidFile(): string {
    return join(this.directory, 'pidfile');
  }

  /** Where conmon listens for clients of the container's streams. */
  get attachSocket(): string {
    return join(this.directory, 'attach');
  }

  /** The FIFO on which conmon takes the size of the terminal, and the order to reopen the log. */
  get controlFifo(): string {
    return join(this.directory, 'ctl');
  }
}
