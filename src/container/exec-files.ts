import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** The files of one exec under way, beside those of others: a directory of its own would be made and removed for each probe. */
export class ExecFiles {
  readonly #path: string;

  /** @param path in the directory of all execs, a name that nobody else has. */
  constructor(path: string) {
    this.#path = path;
  }

  /** New ones in the directory of all execs. */
  static in(directory: string): ExecFiles {
    return new ExecFiles(join(directory, randomBytes(16).toString('hex')));
  }

  /** The OCI process object, for the runtime. */
  get processFile(): string {
    return `${this.#path}.json`;
  }

  /** The pid that the runtime answers with. */
  get pidFile(): string {
    return `${this.#path}.pid`;
  }

  /** Where the runtime hands over the terminal, if the exec has one. */
  get consoleSocket(): string {
    return `${this.#path}.tty`;
  }
}
