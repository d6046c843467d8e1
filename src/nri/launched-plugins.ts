import { settledWithin, sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { LaunchedProcesses } from './launched-processes.ts';
import type { Newcomer, Taken } from './newcomer.ts';
import { findPlugins, readConfiguration, type PluginFile } from './plugin-directory.ts';
import { PluginProcess } from './plugin-process.ts';
import type { PluginReport } from './report.ts';
import type { NriSettings } from './settings.ts';

/** The pause before a plugin that has ended is started again: this first, then ever twice as long, milliseconds. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A plugin that was ready for so long begins with the first pause again, milliseconds. */
const SETTLED_MS = 60_000;

export interface LaunchedPluginsOptions {
  readonly settings: () => NriSettings;
  readonly log: Log;
  readonly processes: LaunchedProcesses;
  /** Takes in the connection of a plugin. */
  readonly take: (newcomer: Newcomer) => Taken;
}

/** The plugins that the daemon starts itself, and starts again when they have ended, until it ends. */
export class LaunchedPlugins {
  readonly #options: LaunchedPluginsOptions;
  readonly #ending = new AbortController();
  readonly #closing = new AbortController();
  #plugins: readonly LaunchedPlugin[] = [];

  constructor(options: LaunchedPluginsOptions) {
    this.#options = options;
  }

  /** Starts all plugins of the directory at once, and waits for them for `patienceMs` at most. */
  async start(directory: string, patienceMs: number): Promise<void> {
    await this.#options.processes.endLeftovers();
    const files = await findPlugins(directory, this.#options.log);
    if (this.#ending.signal.aborted) return;
    const signals = { ending: this.#ending.signal, closing: this.#closing.signal };
    this.#plugins = files.map((file) => new LaunchedPlugin(file, this.#options, signals));
    await settledWithin(Promise.all(this.#plugins.map(async (plugin) => plugin.tried)), patienceMs);
  }

  /** Those that wait for their next start. */
  down(): PluginReport[] {
    return this.#plugins.flatMap((plugin) => plugin.down());
  }

  /** Starts none of them any more: before they are told that the daemon ends, since one may have ended while another is still told. */
  startNoMore(): void {
    this.#ending.abort();
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.startNoMore();
    this.#closing.abort();
    await Promise.all(this.#plugins.map(async (plugin) => plugin.over));
  }
}

interface EndSignals {
  /** None is started any more. */
  readonly ending: AbortSignal;
  /** Those that run are ended. */
  readonly closing: AbortSignal;
}

class LaunchedPlugin {
  /** Resolves when the first start has succeeded or failed. */
  readonly tried: Promise<void>;
  /** Resolves when it is not started any more. */
  readonly over: Promise<void>;
  readonly #file: PluginFile;
  readonly #label: string;
  readonly #options: LaunchedPluginsOptions;
  readonly #signals: EndSignals;
  #tries = 0;
  #down: { readonly since: Date; readonly reason: string } | undefined;

  constructor(file: PluginFile, options: LaunchedPluginsOptions, signals: EndSignals) {
    this.#file = file;
    this.#label = `${file.index}-${file.name}`;
    this.#options = options;
    this.#signals = signals;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.tried = promise;
    this.over = this.#keepUp(() => {
      resolve(undefined);
    });
  }

  down(): PluginReport[] {
    if (this.#down === undefined) return [];
    const { since, reason } = this.#down;
    const common = { name: this.#label, kind: 'launched', state: 'down', version: '', events: [] } as const;
    return [{ ...common, since: since.toISOString(), calls: 0, failures: this.#tries, meanMs: 0, longestMs: 0, lastError: reason }];
  }

  #isEnding(): boolean {
    return this.#signals.ending.aborted;
  }

  async #keepUp(onTried: () => void): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#isEnding()) {
      const { reason, readyMs } = await this.#live(onTried);
      onTried();
      if (readyMs >= SETTLED_MS) pauseMs = FIRST_PAUSE_MS;
      if (this.#isEnding()) return;
      this.#tries += 1;
      this.#down = { since: new Date(), reason };
      const { log } = this.#options;
      log.warn('a launched NRI plugin has ended, and is started again', { plugin: this.#label, reason, attempts: this.#tries, pauseMs });
      await sleep(pauseMs, this.#signals.ending);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** One life of it. @returns why it is over, and for how long the plugin was ready. */
  async #live(onTried: () => void): Promise<{ readonly reason: string; readonly readyMs: number }> {
    const { settings, log, take, processes } = this.#options;
    const { index, name } = this.#file;
    let process: PluginProcess;
    let configuration: string;
    try {
      configuration = await readConfiguration(settings().pluginConfigDir, this.#file);
      this.#signals.ending.throwIfAborted();
      process = new PluginProcess(this.#file, log);
    } catch (error) {
      return { reason: messageOf(error), readyMs: 0 };
    }
    this.#down = undefined;
    log.info('an NRI plugin is launched', { plugin: this.#label, pid: process.pid });
    const kill = (): void => void process.end();
    this.#signals.closing.addEventListener('abort', kill, { once: true });
    const { stream, pid } = process;
    void processes.add(pid);
    const { plugin, joined } = take({ stream, pid, kind: 'launched', identity: { index, name }, configuration });
    let readyAt = Number.POSITIVE_INFINITY;
    void joined.then(() => {
      onTried();
      readyAt = performance.now();
    });
    const why = await plugin.ended;
    const readyMs = performance.now() - readyAt;
    this.#signals.closing.removeEventListener('abort', kill);
    const end = await process.end();
    await processes.remove(pid);
    return { reason: `${why}; ${end}`, readyMs };
  }
}
