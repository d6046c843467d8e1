import { ConfDirectory, type LoadedNetwork, type SkippedFile } from './conf-directory.ts';
import type { NetworkConf } from './network-conf.ts';
import type { NetworksOptions } from './networks-options.ts';

/** What a directory says of its network, for status outputs. */
export interface ConfiguredNetwork {
  readonly network: NetworkConf | undefined;
  readonly file: string | undefined;
  readonly skipped: readonly SkippedFile[];
}

type Options = Pick<NetworksOptions, 'confDir' | 'handlerConfDirs' | 'networkName' | 'log' | 'rescanMs'>;

/** The configuration directories: the node's, and those that runtime handlers have for their own pods. */
export class Configurations {
  /** The node's, which says whether the node's network is ready. */
  readonly main: ConfDirectory;
  readonly #ofHandlers = new Map<string, ConfDirectory>();
  readonly #all: ReadonlyMap<string, ConfDirectory>;

  constructor({ confDir, handlerConfDirs = new Map(), networkName, log, rescanMs }: Options) {
    this.main = new ConfDirectory({ dir: confDir, networkName, log, rescanMs });
    const all = new Map([[confDir, this.main]]);
    for (const [handler, dir] of handlerConfDirs) {
      const directory = all.get(dir) ?? new ConfDirectory({ dir, log, rescanMs });
      all.set(dir, directory);
      this.#ofHandlers.set(handler, directory);
    }
    this.#all = all;
  }

  async start(): Promise<void> {
    await Promise.all([...this.#all.values()].map(async (directory) => directory.start()));
  }

  close(): void {
    for (const directory of this.#all.values()) directory.close();
  }

  /** Where the network of a handler's pods is configured; without a handler, or where it has none of its own, the node's. */
  of(handler: string | undefined): ConfDirectory {
    return (handler === undefined ? undefined : this.#ofHandlers.get(handler)) ?? this.main;
  }

  /** The networks that pods are attached to now. */
  current(): NetworkConf[] {
    return [...this.#all.values()].flatMap(({ current }) => (current === undefined ? [] : [current.conf]));
  }

  describe(): ConfiguredNetwork & { handlers: Readonly<Record<string, ConfiguredNetwork>> } {
    const handlers = [...this.#ofHandlers].map(([handler, directory]) => [handler, described(directory)] as const);
    return { ...described(this.main), handlers: Object.fromEntries(handlers) };
  }
}

function described({ current, skipped }: { current: LoadedNetwork | undefined; skipped: readonly SkippedFile[] }): ConfiguredNetwork {
  return { network: current?.conf, file: current?.file, skipped };
}
