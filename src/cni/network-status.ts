import { settledWithin } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { hasStatusAndGc, networkStatus, pluginVersions } from './network.ts';
import { isObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import type { ConfDirectory, SkippedFile } from './conf-directory.ts';
import type { NetworkConf } from './network-conf.ts';
import type { PluginRunner } from './plugin.ts';

/** Whether pods can be attached, as the CRI's NetworkReady condition says it. */
export interface NetworkStatus {
  readonly ready: boolean;
  /** Empty when ready, else NetworkPluginNotReady. */
  readonly reason: string;
  /** Why not, in the plugin's own words where it said something. */
  readonly message: string;
  /** Configuration files that are not used, whether ready or not. */
  readonly skipped: readonly SkippedFile[];
}

/** Ask the plugins no more often than this, milliseconds: the kubelet asks us every 5 s. */
const FRESH_MS = 10_000;
/** The same while the answer is no, so that a plugin that comes up is noticed sooner, milliseconds. */
const FRESH_WHEN_NOT_READY_MS = 2000;
/** Most a Status call waits for the plugins, milliseconds; then it answers with what was known before. */
const WAIT_MS = 2000;

interface Answer {
  readonly conf: NetworkConf;
  readonly at: number;
  /** Empty when the plugins are fine. */
  readonly problem: string;
}

export interface ProbeOptions {
  readonly log: Log;
  readonly pluginTimeoutMs: number;
  /** How long a network that was ready may fail before it is said to be not ready: while a plugin is replaced, milliseconds. */
  readonly graceMs: number;
}

/** Keeps the last answer of the network's plugins, so that asking for the status is cheap and never hangs. */
export class NetworkStatusProbe {
  readonly #confs: ConfDirectory;
  readonly #runner: PluginRunner;
  readonly #options: ProbeOptions;
  /** Whether the last status was, and since when it would not have been but for the grace. */
  #wasReady = false;
  #failingSince: number | undefined;
  #last: Answer | undefined;
  #versionsFit: NetworkConf | undefined;
  #asking: { conf: NetworkConf; answer: Promise<Answer> } | undefined;

  constructor(confs: ConfDirectory, runner: PluginRunner, options: ProbeOptions) {
    this.#confs = confs;
    this.#runner = runner;
    this.#options = options;
  }

  async status(): Promise<NetworkStatus> {
    if (this.#confs.current === undefined) await this.#confs.rescan();
    const problem = await this.#problem();
    const { skipped } = this.#confs;
    if (problem === '') {
      this.#wasReady = true;
      this.#failingSince = undefined;
    }
    return problem === '' || this.#isInGrace(problem)
      ? { ready: true, reason: '', message: '', skipped }
      : { ready: false, reason: 'NetworkPluginNotReady', message: problem, skipped };
  }

  #isInGrace(problem: string): boolean {
    const { graceMs, log } = this.#options;
    if (!this.#wasReady || graceMs === 0) return false;
    if (this.#failingSince === undefined) {
      log.warn(`the network is not ready, which is said after ${graceMs / 1000} s: ${problem}`);
      this.#failingSince = performance.now();
    }
    this.#wasReady = performance.now() - this.#failingSince < graceMs;
    return this.#wasReady;
  }

  async #problem(): Promise<string> {
    const conf = this.#confs.current?.conf;
    if (conf === undefined) return this.#confs.problem;
    const known = this.#last?.conf === conf ? this.#last : undefined;
    if (known !== undefined) {
      const freshMs = known.problem === '' ? FRESH_MS : FRESH_WHEN_NOT_READY_MS;
      if (performance.now() - known.at < freshMs) return known.problem;
    }
    if (this.#asking?.conf !== conf) this.#asking = { conf, answer: this.#ask(conf) };
    const { answer } = this.#asking;
    const now = (await settledWithin(answer, WAIT_MS)) ? await answer : known;
    return now?.problem ?? `cni network "${conf.name}": its plugins have not answered yet`;
  }

  async #ask(conf: NetworkConf): Promise<Answer> {
    const problem = await this.#askPlugins(conf).catch(messageOf);
    const answer = { conf, at: performance.now(), problem: problem ?? '' };
    this.#last = answer;
    if (this.#asking?.conf === conf) this.#asking = undefined;
    return answer;
  }

  /** @throws what is wrong. */
  async #askPlugins(conf: NetworkConf): Promise<undefined> {
    const limits = { timeoutMs: this.#options.pluginTimeoutMs };
    for (const plugin of conf.plugins) {
      const ipam = isObject(plugin.document['ipam']) ? plugin.document['ipam']['type'] : undefined;
      for (const type of [plugin.type, ipam]) {
        if (typeof type === 'string' && type !== '') await this.#runner.look(conf.name, type);
      }
    }
    if (hasStatusAndGc(conf)) await networkStatus(this.#runner, conf, limits);
    // Once per configuration: a plugin that is too old for it would fail every pod.
    else if (this.#versionsFit !== conf) {
      await this.#checkVersions(conf);
      this.#versionsFit = conf;
    }
    return undefined;
  }

  async #checkVersions(conf: NetworkConf): Promise<void> {
    for (const plugin of conf.plugins) {
      // A plugin that does not say its versions is tried: its ADD will tell.
      const versions = await pluginVersions(this.#runner, conf, plugin, { timeoutMs: this.#options.pluginTimeoutMs }).catch(
        () => undefined,
      );
      if (versions === undefined || versions.includes(conf.cniVersion)) continue;
      throw new DaemonError(
        'FailedPrecondition',
        `cni network "${conf.name}", plugin ${plugin.type}: it supports versions ${versions.join(', ')}, the network asks for ${conf.cniVersion}`,
      );
    }
  }
}
