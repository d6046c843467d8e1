import { join } from 'node:path';

/** The files of one exec under way. */
export class ExecFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The OCI process object, for the runtime. */
  get processFile(): string {
    return join(this.directory, 'process.json');
  }

  /** The pid that the runtime answers with. */
  get pidFile(): string {
    return join(this.directory, 'pid');
  }

  /** Where the runtime hands over the terminal, if the exec has one. */
  get consoleSocket(): string {
    return join(this.directory, 'tty');
  }
}
