/** Told of places before they are read, so that no change after the reading is missed. */
export type BeforeReading = (files: readonly string[], directories: readonly string[]) => Promise<void>;

/** What a load has looked at, there or not, and what it had to say. It is right as far as the load came, also where that failed. */
export class LoadTrace {
  readonly files = new Set<string>();
  readonly directories = new Set<string>();
  readonly warnings: string[] = [];
  readonly #before: BeforeReading | undefined;

  constructor(before?: BeforeReading) {
    this.#before = before;
  }

  /** To be called before they are read. */
  async read(files: readonly string[], directories: readonly string[]): Promise<void> {
    for (const file of files) this.files.add(file);
    for (const directory of directories) this.directories.add(directory);
    await this.#before?.(files, directories);
  }
}
