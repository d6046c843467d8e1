/** The files of one exec under way, beside those of others: a directory of its own would be made and removed for each probe. */
export class ExecFiles {
  readonly #path: string;

  /** @param path in the directory of all execs, a name that nobody else has. */
  constructor(path: string) {
    this.#path = path;
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
