import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { FilesWatch } from '../registry/files-watch.ts';
import { RegistrySources } from '../registry/registry-sources.ts';
import type { RegistryPaths } from '../registry/registry-sources.ts';

/** A directory that was watched too late is read again; what changes for ever is read at the next notice, times. */
const MAX_READS = 4;

/** What the node's files say of registries now: read again as a whole when one changes, and kept as a whole where one is wrong. */
export class RegistryFiles {
  readonly #log: Log;
  readonly #watch: FilesWatch;
  readonly #warned = new Set<string>();
  #current = RegistrySources.empty();
  #paths: (() => RegistryPaths) | undefined;
  #changed: (next: RegistrySources) => void = () => undefined;
  #reading = false;
  #readAgain = false;
  #lastError = '';

  constructor(log: Log) {
    this.#log = log;
    this.#watch = new FilesWatch(() => void this.#readAll(), log);
  }

  get current(): RegistrySources {
    return this.#current;
  }

  onChange(changed: (next: RegistrySources) => void): void {
    this.#changed = changed;
  }

  /** @throws InvalidArgument that names the file that is wrong. */
  async start(paths: () => RegistryPaths): Promise<void> {
    this.#paths = paths;
    this.use(await this.read(paths()));
  }

  /**
   * Watches what it reads before it reads it: also what is wrong, so that mending it is seen. Nothing is in force by it.
   * @throws InvalidArgument that names the file that is wrong.
   */
  async read(paths: RegistryPaths): Promise<RegistrySources> {
    return await RegistrySources.load(paths, async (...places) => this.#watch.add(...places));
  }

  /** Puts what was read into force. */
  use(next: RegistrySources): void {
    this.#current = next;
    this.#lastError = '';
    const { files, directories, warnings } = next.trace;
    for (const warning of warnings) if (!this.#warned.has(warning)) this.#log.warn(warning);
    for (const warning of warnings) this.#warned.add(warning);
    this.#changed(next);
    void this.#watch.follow(files, directories).then((isNew) => {
      if (isNew) void this.#readAll(MAX_READS - 1);
    });
  }

  close(): void {
    this.#paths = undefined;
    this.#watch.close();
  }

  async #readAll(reads = MAX_READS): Promise<void> {
    this.#readAgain = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#readAgain && this.#paths !== undefined && reads > 0) {
      this.#readAgain = false;
      reads -= 1;
      await this.#renew(this.#paths());
    }
    this.#reading = false;
  }

  async #renew(paths: RegistryPaths): Promise<void> {
    try {
      const next = await this.read(paths);
      if (this.#paths === undefined) return;
      this.use(next);
      this.#log.info('the configuration of registries is read again');
    } catch (error) {
      const words = messageOf(error);
      if (words !== this.#lastError)
        this.#log.error('the configuration of registries is wrong; the old one stays in force', { error: words });
      this.#lastError = words;
    }
  }
}
