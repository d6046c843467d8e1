import { join } from 'node:path';
import { DaemonError, messageOf } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import { stage } from '../base/stage.ts';
import { attachmentOf, checkId, existing, IFNAME, targetOf, UNKNOWN_POD } from './attachment.ts';
import { AttachmentRecords } from './attachment-records.ts';
import { ConfDirectory } from './conf-directory.ts';
import { endLeftoverPlugins } from './leftover-plugins.ts';
import { addToNetwork, canCheck, checkNetwork, collectNetworkGarbage, deleteFromNetwork, hasStatusAndGc, takeBackAdd } from './network.ts';
import { NetworkStatusProbe } from './network-status.ts';
import { PluginRunner } from './plugin.ts';
import { PluginFinder } from './plugin-finder.ts';
import { RetryQueue } from './retry-queue.ts';
import type { Log } from '../base/log.ts';
import type { Attachment, AttachRequest, DetachRequest, PendingDetach } from './attachment.ts';
import type { AttachmentRecord } from './attachment-records.ts';
import type { SkippedFile } from './conf-directory.ts';
import type { NetworkConf } from './network-conf.ts';
import type { NetworkStatus } from './network-status.ts';
import type { Limits, PluginRun } from './plugin.ts';

export interface NetworksOptions {
  /** Where network configurations are, e.g. /etc/cni/net.d. */
  readonly confDir: string;
  /** Where plugin binaries are, e.g. /opt/cni/bin; the first one that has a plugin wins. */
  readonly binDirs: readonly string[];
  /** Where attachment records are kept. It must survive a reboot: so do the addresses that plugins hand out. */
  readonly cacheDir: string;
  readonly log: Log;
  /** The default network's name; where left out, the first configuration in file name order. */
  readonly networkName?: string;
  /** Most one plugin may take for ADD, milliseconds. Default 220 000: the kubelet gives up after 240 s, and should hear the words. */
  readonly addTimeoutMs?: number;
  /** Most one plugin may take for DEL, milliseconds. Default 60 000, as in CRI-O. */
  readonly delTimeoutMs?: number;
  /** Most one plugin may take for CHECK, STATUS, VERSION and GC, milliseconds. Default 10 000. */
  readonly queryTimeoutMs?: number;
  /** How often the configuration directory is read without a notice, milliseconds. Default 5000. */
  readonly rescanMs?: number;
  /** The first pause between tries of a queued detach, milliseconds, default 1000; it doubles up to 5 min. */
  readonly retryMs?: number;
  /** Told of every finished plugin process, for metrics. */
  readonly observe?: (run: PluginRun) => void;
}

const RETRY_LONGEST_MS = 5 * 60_000;
const RETRY_CONCURRENCY = 2;

/**
 * The pods' networks. What DEL needs is on disk before the first ADD and until the last DEL has worked, so that an
 * attachment can be taken back after any crash and any change of configuration. One operation a container at a time;
 * containers do not wait for each other.
 */
export class Networks {
  readonly #options: NetworksOptions;
  readonly #log: Log;
  readonly #confs: ConfDirectory;
  readonly #runner: PluginRunner;
  readonly #probe: NetworkStatusProbe;
  readonly #records: AttachmentRecords;
  readonly #pending: AttachmentRecords;
  readonly #queue: RetryQueue;
  readonly #locks = new KeyedMutex<string>();
  #busy = 0;
  #garbageCollection: Promise<void> | undefined;

  constructor(options: NetworksOptions) {
    const { confDir, cacheDir, log, networkName, rescanMs } = options;
    this.#options = options;
    this.#log = log;
    this.#confs = new ConfDirectory({ dir: confDir, networkName, log, rescanMs });
    this.#runner = new PluginRunner(new PluginFinder(options.binDirs), log, options.observe);
    this.#probe = new NetworkStatusProbe(this.#confs, this.#runner, options.queryTimeoutMs ?? 10_000);
    this.#records = new AttachmentRecords(join(cacheDir, 'attachments'), log);
    this.#pending = new AttachmentRecords(join(cacheDir, 'pending'), log);
    this.#queue = new RetryQueue({
      what: 'queued detach from the network, sandbox',
      work: (id, signal) =>
        this.#operate(id, () => this.#release(this.#pending, { containerId: id, netnsPath: undefined, pod: UNKNOWN_POD }, signal)),
      log,
      firstDelayMs: options.retryMs ?? 1000,
      longestDelayMs: RETRY_LONGEST_MS,
      concurrency: RETRY_CONCURRENCY,
    });
  }

  /** Reads records and configurations, ends plugins that a killed daemon left running, and goes on with queued detaches. */
  async start(): Promise<void> {
    await this.#records.load();
    await this.#pending.load();
    for (const record of [...this.#records.all(), ...this.#pending.all()]) {
      if (record.result === undefined) await this.#endLeftovers(record.containerId);
    }
    await this.#confs.start();
    for (const id of this.#pending.ids()) {
      // A crash between the two writes of detachLater leaves the record in both places.
      if (this.#records.ids().includes(id)) await this.#records.remove(id);
      this.#queue.add(id);
    }
  }

  /** Ends the watch and the queue; what is queued stays on disk. Attaches and detaches under way are the callers'. */
  async close(): Promise<void> {
    this.#confs.close();
    await this.#queue.close();
  }

  /** Whether pods can be attached. Cheap: the plugins are asked every 10 s at most, and waited for 2 s at most. */
  async status(): Promise<NetworkStatus> {
    return this.#probe.status();
  }

  /** What is configured, for status outputs. */
  describe(): { network: NetworkConf | undefined; file: string | undefined; skipped: readonly SkippedFile[] } {
    const { current, skipped } = this.#confs;
    return { network: current?.conf, file: current?.file, skipped };
  }

  /** Whether a plugin of the current network declares a capability, e.g. `portMappings`. */
  hasCapability(name: string): boolean {
    return this.#confs.current?.conf.plugins.some((plugin) => plugin.capabilities.includes(name)) ?? false;
  }

  /**
   * Attaches a container to the current network as eth0. When this fails, what was added is taken off again; where that
   * fails too, the record stays, and {@link detach} or {@link detachLater} ends it.
   * @throws {DaemonError} with the failing plugin's words; Unavailable where no network is configured.
   */
  async attach(request: AttachRequest, signal: AbortSignal): Promise<Attachment> {
    const { containerId } = request;
    checkId(containerId);
    return this.#operate(containerId, async () => {
      const network = await this.#networkFor(request);
      if (this.#records.ids().includes(containerId) || this.#pending.ids().includes(containerId)) {
        throw new DaemonError('AlreadyExists', `attach ${containerId} to the network: it is attached already, must be detached first`);
      }
      const { netnsPath, pod, capabilityArgs } = request;
      const createdAt = new Date().toISOString();
      const record: AttachmentRecord = { containerId, pod, netnsPath, ifName: IFNAME, network, capabilityArgs, createdAt };
      targetOf(record, netnsPath); // Throws for a pod that cannot be told to plugins, before anything is done.
      await this.#records.save(record);
      stage('cni.intent-recorded');
      return this.#add(record, signal);
    });
  }

  /**
   * Detaches a container, with the network's configuration as it was at attach. A container that is not attached is fine.
   * @throws {DaemonError} with the failing plugin's words; the record stays, and the next detach tries again.
   */
  async detach(request: DetachRequest, signal: AbortSignal): Promise<void> {
    checkId(request.containerId);
    const netnsPath = await existing(request.netnsPath);
    await this.#operate(request.containerId, () => this.#release(this.#records, { ...request, netnsPath }, signal));
  }

  /**
   * Detaches a container whose namespace is gone in the background, tried until it works, also by later daemons.
   * Resolves when this is on disk. A container that is not attached is fine.
   */
  async detachLater(request: { readonly containerId: string }): Promise<void> {
    const { containerId } = request;
    checkId(containerId);
    await this.#locks.run(containerId, async () => {
      if (!(await this.#pending.take(this.#records, containerId))) return;
      stage('cni.detach-queued');
      await this.#records.remove(containerId);
      this.#queue.add(containerId);
    });
  }

  /** The ids that have an attachment record, readable or not; those in the queue are not among them. */
  async attachments(): Promise<string[]> {
    return this.#records.ids();
  }

  /** What attach gave, from its record; undefined where the container is not attached, or not wholly. */
  attachment(containerId: string): Attachment | undefined {
    const record = this.#records.get(containerId);
    return record?.result === undefined ? undefined : attachmentOf(record, record.result);
  }

  /** The detaches that wait in the queue. */
  pendingDetaches(): PendingDetach[] {
    return this.#pending.ids().map((containerId) => {
      const record = this.#pending.get(containerId);
      const work = this.#queue.list().find(({ id }) => id === containerId);
      return {
        containerId,
        pod: record?.pod ?? UNKNOWN_POD,
        network: record?.network.name ?? '',
        attempts: work?.attempts ?? 0,
        lastError: work?.lastError,
      };
    });
  }

  /**
   * Asks the plugins whether an attachment is still as ADD left it (CHECK). One whose network has no CHECK is taken as good.
   * @throws {DaemonError} with the plugin's words; NotFound where the container is not attached.
   */
  async check(containerId: string, signal: AbortSignal): Promise<void> {
    await this.#operate(containerId, async () => {
      const record = this.#records.get(containerId);
      if (record?.result === undefined) throw new DaemonError('NotFound', `check the network of ${containerId}: it is not attached`);
      if (!canCheck(record.network)) return;
      await checkNetwork(this.#runner, record.network, targetOf(record, record.netnsPath), this.#queryLimits(signal), record.result);
    });
  }

  /**
   * Lets the current network's plugins free what belongs to no attachment of ours (GC, from version 1.1.0). To be called
   * after the restore. Attaches and detaches wait for it; while some are under way, nothing is done.
   * @param inUse sandboxes that are attached for all their owner knows: their own record may be lost.
   * @returns whether the plugins were asked.
   * @throws {DaemonError} with the plugins' words.
   */
  async collectGarbage(inUse: readonly string[], signal: AbortSignal): Promise<boolean> {
    const conf = this.#confs.current?.conf;
    if (conf === undefined || conf.disableGC || !hasStatusAndGc(conf)) return false;
    if (this.#busy > 0 || this.#garbageCollection !== undefined) return false;
    const ids = new Set([...this.#records.ids(), ...this.#pending.ids(), ...inUse]);
    const valid = [...ids].map((containerID) => ({ containerID, ifname: IFNAME }));
    const work = collectNetworkGarbage(this.#runner, conf, valid, this.#queryLimits(signal));
    this.#garbageCollection = work
      .catch(() => undefined)
      .finally(() => {
        this.#garbageCollection = undefined;
      });
    await work;
    return true;
  }

  /** The network to attach to, checked as far as can be before anything is done. */
  async #networkFor(request: AttachRequest): Promise<NetworkConf> {
    const network = this.#confs.current?.conf;
    if (network === undefined) throw new DaemonError('Unavailable', `attach ${request.containerId} to the network: ${this.#confs.problem}`);
    const mapping = request.capabilityArgs.portMappings?.[0];
    if (mapping !== undefined && !this.hasCapability('portMappings')) {
      // Not an error: networks that map host ports by themselves do not declare it (cilium), and the pod may do without.
      this.#log.warn(
        `cni network "${network.name}": no plugin has the portMappings capability, so nothing is told of host port ${mapping.hostPort}`,
        {
          containerId: request.containerId,
        },
      );
    }
    await Promise.all(network.plugins.map((plugin) => this.#runner.look(network.name, plugin.type)));
    return network;
  }

  async #add(record: AttachmentRecord, signal: AbortSignal): Promise<Attachment> {
    const { network, containerId, netnsPath } = record;
    const limits = { timeoutMs: this.#options.addTimeoutMs ?? 220_000, signal };
    let begun = -1;
    try {
      const result = await addToNetwork(this.#runner, network, targetOf(record, netnsPath), limits, (index) => {
        begun = index;
      });
      stage('cni.added');
      const attachment = attachmentOf(record, result);
      if (attachment.ips.length === 0) {
        throw new DaemonError('Internal', `cni network "${network.name}", ADD: the result has no address for ${IFNAME}, must have one`);
      }
      await this.#records.saveResult(record, result);
      stage('cni.result-recorded');
      return attachment;
    } catch (error) {
      await this.#takeBack(record, begun).catch((failed: unknown) => {
        this.#log.error(`take back a failed attach: ${messageOf(failed)}; its record stays`, { containerId });
      });
      throw error; // The first failure is what the caller hears.
    }
  }

  async #takeBack(record: AttachmentRecord, last: number): Promise<void> {
    await takeBackAdd(this.#runner, record.network, targetOf(record, record.netnsPath), this.#deleteLimits(), last);
    stage('cni.deleted');
    await this.#records.remove(record.containerId);
    stage('cni.record-removed');
  }

  async #release(records: AttachmentRecords, request: DetachRequest, signal: AbortSignal): Promise<void> {
    const { containerId, netnsPath } = request;
    const record = records.get(containerId) ?? this.#standIn(records, request);
    if (record === undefined) return;
    const target = targetOf(record, netnsPath);
    const limits = this.#deleteLimits(signal);
    if (record.result === undefined) await takeBackAdd(this.#runner, record.network, target, limits, record.network.plugins.length - 1);
    else await deleteFromNetwork(this.#runner, record.network, target, limits, record.result);
    stage('cni.deleted');
    await records.remove(containerId);
    stage('cni.record-removed');
  }

  /** What a container with an unreadable record is detached by: the current network. */
  #standIn(records: AttachmentRecords, request: DetachRequest): AttachmentRecord | undefined {
    const { containerId, pod, netnsPath = '' } = request;
    if (!records.isCorrupt(containerId)) return undefined;
    const network = this.#confs.current?.conf;
    if (network === undefined) {
      throw new DaemonError(
        'Unavailable',
        `detach ${containerId} from the network: its record ${records.corruptFile(containerId)} cannot be read, and there is ${this.#confs.problem}; put a configuration there or remove the record`,
      );
    }
    return { containerId, pod, netnsPath, ifName: IFNAME, network, capabilityArgs: {}, createdAt: '' };
  }

  /** One operation a container at a time, and none while garbage is collected. */
  async #operate<T>(containerId: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(containerId, async () => {
      while (this.#garbageCollection !== undefined) await this.#garbageCollection;
      this.#busy += 1;
      try {
        return await work();
      } finally {
        this.#busy -= 1;
      }
    });
  }

  async #endLeftovers(containerId: string): Promise<void> {
    try {
      const killed = await endLeftoverPlugins(containerId);
      if (killed > 0) this.#log.warn(`killed ${killed} plugin processes that an earlier daemon left running`, { containerId });
    } catch (error) {
      this.#log.error(`look for plugins that an earlier daemon left running: ${messageOf(error)}`, { containerId });
    }
  }

  #deleteLimits(signal?: AbortSignal): Limits {
    const timeoutMs = this.#options.delTimeoutMs ?? 60_000;
    return signal === undefined ? { timeoutMs } : { timeoutMs, signal };
  }

  #queryLimits(signal: AbortSignal): Limits {
    return { timeoutMs: this.#options.queryTimeoutMs ?? 10_000, signal };
  }
}
