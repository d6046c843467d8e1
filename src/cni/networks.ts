import { join } from 'node:path';
import { sleep } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { allSettledOrThrow } from '../base/settle.ts';
import { stage } from '../base/stage.ts';
import { operation } from '../base/steps.ts';
import { attachmentOf, checkId, existing, IFNAME, targetOf, UNKNOWN_POD } from './attachment.ts';
import { AttachmentRecords } from './attachment-records.ts';
import { Configurations, type ConfiguredNetwork } from './configurations.ts';
import { endLeftovers } from './leftover-plugins.ts';
import { addToNetwork, canCheck, checkNetwork, collectNetworkGarbage, deleteFromNetwork, hasStatusAndGc } from './network.ts';
import { NetworkStatusProbe } from './network-status.ts';
import { Operations } from './operations.ts';
import { PluginRunner } from './plugin.ts';
import { PluginFinder } from './plugin-finder.ts';
import { RetryQueue } from './retry-queue.ts';
import { takeBackAdd } from './take-back.ts';
import type { Log } from '../base/log.ts';
import type { Attachment, AttachLife, NetworkAttachRequest, NetworkDetachRequest, PendingDetach } from './attachment.ts';
import type { AddRefusal, AttachmentRecord } from './attachment-records.ts';
import type { NetworkConf } from './network-conf.ts';
import type { NetworkStatus } from './network-status.ts';
import type { NetworksOptions } from './networks-options.ts';
import type { Limits } from './plugin.ts';

const RETRY_LONGEST_MS = 5 * 60_000;
const RETRY_CONCURRENCY = 4;
/** The time in which all due detaches of the queue are tried, and the least that one try gets, milliseconds. */
const RETRY_ROUND_MS = 60_000;
const RETRY_LEAST_MS = 2000;
/** How often a DEL is tried that its plugin refuses in the words in which it refused the ADD: nine minutes. */
const REFUSED_TRIES = 10;
/** While a plugin is down, the release of every pod fails, and each pod keeps a namespace of the kernel. */
const KEPT_NAMESPACES = 128;

/**
 * The pods' networks. What DEL needs is on disk before the first ADD and until the last DEL has worked, so that an
 * attachment can be taken back after any crash and any change of configuration. One operation a container at a time;
 * containers do not wait for each other.
 */
export class Networks {
  readonly #options: NetworksOptions;
  readonly #log: Log;
  readonly #confs: Configurations;
  readonly #runner: PluginRunner;
  readonly #probe: NetworkStatusProbe;
  readonly #records: AttachmentRecords;
  readonly #pending: AttachmentRecords;
  readonly #queue: RetryQueue;
  /** The containers whose namespace stays until their queued detach has worked. */
  readonly #kept = new Set<string>();
  readonly #operations = new Operations();

  constructor(options: NetworksOptions) {
    const { cacheDir, log } = options;
    this.#options = options;
    this.#log = log;
    this.#confs = new Configurations(options);
    this.#runner = new PluginRunner(new PluginFinder(options.binDirs), log, options.observe);
    this.#probe = new NetworkStatusProbe(this.#confs.main, this.#runner, {
      log,
      pluginTimeoutMs: options.queryTimeoutMs ?? 10_000,
      graceMs: options.statusGraceMs ?? 0,
    });
    this.#records = new AttachmentRecords(join(cacheDir, 'attachments'), log);
    this.#pending = new AttachmentRecords(join(cacheDir, 'pending'), log);
    this.#queue = new RetryQueue({
      what: 'queued detach from the network, sandbox',
      work: async (id, signal, failures) => {
        const { namespace, name } = this.#pending.get(id)?.pod ?? UNKNOWN_POD;
        const subject = { sandboxId: id, ...(name === '' ? {} : { name: `${namespace}/${name}` }) };
        await operation('release network', subject, async () => this.#releaseQueued(id, signal, failures));
      },
      log,
      firstDelayMs: options.retryMs ?? 1000,
      longestDelayMs: RETRY_LONGEST_MS,
      concurrency: RETRY_CONCURRENCY,
      roundMs: RETRY_ROUND_MS,
      leastMs: RETRY_LEAST_MS,
    });
  }

  /** Reads records and configurations, ends plugins that a killed daemon left running, and goes on with queued detaches. */
  async start(): Promise<void> {
    await this.#records.load();
    await this.#pending.load();
    await endLeftovers([this.#records, this.#pending], this.#log);
    await this.#confs.start();
    for (const id of this.#pending.ids()) {
      // A crash between the two writes of detachLater leaves the record in both places.
      if (this.#records.ids().includes(id)) await this.#records.remove(id);
      this.#keepNamespace(id);
      this.#queue.add(id);
    }
  }

  /** Ends the watch and the queue; what is queued stays on disk. Attaches and detaches under way are the callers'. */
  async close(): Promise<void> {
    this.#confs.close();
    await this.#queue.close();
  }

  /** Whether pods can be attached, to the node's network. Cheap: the plugins are asked every 10 s at most, and waited for 2 s at most. */
  async status(): Promise<NetworkStatus> {
    return this.#probe.status();
  }

  /** What is configured, for status outputs. */
  describe(): ConfiguredNetwork & { handlers: Readonly<Record<string, ConfiguredNetwork>> } {
    return this.#confs.describe();
  }

  /**
   * Attaches a container to the current network of its handler as eth0. When this fails, what was added is taken off again; where that
   * fails too, the record stays, and {@link detach} or {@link detachLater} ends it.
   * @throws {DaemonError} with the failing plugin's words; Unavailable where no network is configured.
   */
  async attach(request: NetworkAttachRequest, signal: AbortSignal, life: AttachLife = {}): Promise<Attachment> {
    const { containerId } = request;
    checkId(containerId);
    return this.#operations.run(containerId, async () => {
      const network = await this.#networkFor(request);
      if (this.#records.ids().includes(containerId) || this.#pending.ids().includes(containerId)) {
        throw new DaemonError('AlreadyExists', `attach ${containerId} to the network: it is attached already, must be detached first`);
      }
      const { netnsPath, pod, capabilityArgs } = request;
      const createdAt = new Date().toISOString();
      const record: AttachmentRecord = { containerId, pod, netnsPath, ifName: IFNAME, network, capabilityArgs, createdAt };
      targetOf(record, netnsPath); // Throws for a pod that cannot be told to plugins, before anything is done.
      await this.#records.saveIntent(record);
      stage('cni.intent-recorded');
      try {
        await life.namespaceMade;
      } catch (error) {
        await this.#records.remove(containerId);
        throw error;
      }
      const added = this.#add(record, signal);
      life.begun?.();
      return added;
    });
  }

  /**
   * Detaches a container, with the network's configuration as it was at attach. A container that is not attached is fine.
   * @throws {DaemonError} with the failing plugin's words; the record stays, and the next detach tries again.
   */
  async detach(request: NetworkDetachRequest, signal: AbortSignal): Promise<void> {
    checkId(request.containerId);
    const netnsPath = existing(request.netnsPath);
    await this.#operations.run(request.containerId, () => this.#release(this.#records, { ...request, netnsPath }, signal));
  }

  /**
   * Detaches a container in the background, tried until it works, also by later daemons. Resolves when this is on disk. Where its
   * namespace is there, it must stay while {@link needsNamespace} says so. A container that is not attached is fine.
   */
  async detachLater(request: { readonly containerId: string }): Promise<void> {
    const { containerId } = request;
    checkId(containerId);
    await this.#operations.locked(containerId, async () => {
      if (!(await this.#pending.take(this.#records, containerId))) return;
      this.#keepNamespace(containerId);
      stage('cni.detach-queued');
      await this.#records.remove(containerId);
      this.#queue.add(containerId);
    });
  }

  /**
   * Has a queued detach tried now, and waits until that has ended, well or not, but not longer than `patienceMs`. A container
   * that is not queued is fine.
   */
  async retryDetach(containerId: string, patienceMs: number): Promise<void> {
    if (!this.#pending.ids().includes(containerId)) return;
    this.#queue.add(containerId);
    const patience = new AbortController();
    await Promise.race([this.#queue.tried(containerId), sleep(patienceMs, patience.signal)]);
    patience.abort();
  }

  /** Whether a queued detach still needs the container's network namespace. It is told to `releaseNamespace` when it does not. */
  needsNamespace(containerId: string): boolean {
    return this.#kept.has(containerId);
  }

  /** The ids that have an attachment record, readable or not; those in the queue are not among them. */
  async attachments(): Promise<string[]> {
    return (await this.#records.idsOnDisk()).filter((id) => !this.#pending.ids().includes(id));
  }

  /** Takes in the record of an attachment that is nobody's, so that it can be released. One that is known stays as it is. */
  async adopt(containerId: string): Promise<void> {
    checkId(containerId);
    await this.#operations.locked(containerId, async () => this.#records.adopt(containerId));
  }

  /** What attach gave, from its record; undefined where the container is not attached, or not wholly. */
  attachment(containerId: string): Attachment | undefined {
    const record = this.#records.get(containerId);
    return record?.result === undefined ? undefined : attachmentOf(record, record.result, this.#options.addressPreference);
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
    await this.#operations.run(containerId, async () => {
      const record = this.#records.get(containerId);
      if (record?.result === undefined) throw new DaemonError('NotFound', `check the network of ${containerId}: it is not attached`);
      if (!canCheck(record.network)) return;
      await checkNetwork(this.#runner, record.network, targetOf(record, record.netnsPath), this.#queryLimits(signal), record.result);
    });
  }

  /**
   * Lets the current networks' plugins free what belongs to no attachment of ours (GC, from version 1.1.0). To be called
   * after the restore. Attaches and detaches wait for it; while some are under way, nothing is done.
   * @param inUse the sandboxes that their owner believes to be attached; our record of one may be lost.
   * @returns whether the plugins were asked.
   * @throws {DaemonError} with the plugins' words.
   */
  async collectGarbage(inUse: readonly string[], signal: AbortSignal): Promise<boolean> {
    const confs = this.#confs.current().filter((conf) => !conf.disableGC && hasStatusAndGc(conf));
    if (confs.length === 0) return false;
    return this.#operations.runAlone(async () => {
      // Of every network: what a network does not know is no harm, and a directory may have changed its network since.
      const ids = new Set([...this.#records.ids(), ...this.#pending.ids(), ...inUse]);
      const valid = [...ids].map((containerID) => ({ containerID, ifname: IFNAME }));
      await allSettledOrThrow(confs.map(async (conf) => collectNetworkGarbage(this.#runner, conf, valid, this.#queryLimits(signal))));
    });
  }

  /** The network to attach to, checked as far as can be before anything is done. */
  async #networkFor(request: NetworkAttachRequest): Promise<NetworkConf> {
    const confs = this.#confs.of(request.handler);
    const network = confs.current?.conf;
    if (network === undefined) throw new DaemonError('Unavailable', `attach ${request.containerId} to the network: ${confs.problem}`);
    const mapping = request.capabilityArgs.portMappings?.[0];
    if (mapping !== undefined && !network.plugins.some(({ capabilities }) => capabilities.includes('portMappings'))) {
      // Not an error: networks that map host ports by themselves do not declare it (cilium), and the pod may do without.
      this.#log.warn(
        `cni network "${network.name}": no plugin has the portMappings capability, so nothing is told of host port ${mapping.hostPort}`,
        { sandboxId: request.containerId },
      );
    }
    await Promise.all(network.plugins.map((plugin) => this.#runner.look(network.name, plugin.type)));
    return network;
  }

  async #add(record: AttachmentRecord, signal: AbortSignal): Promise<Attachment> {
    const { network, containerId, netnsPath } = record;
    const limits = { timeoutMs: this.#options.addTimeoutMs ?? 220_000, signal };
    let begun = -1;
    let refusal: AddRefusal | undefined;
    const begin = (index: number): void => void (begun = index);
    const refused = (said: AddRefusal): void => void (refusal = said);
    try {
      const result = await addToNetwork(this.#runner, network, targetOf(record, netnsPath), limits, begin, refused);
      stage('cni.added');
      const attachment = attachmentOf(record, result, this.#options.addressPreference);
      if (attachment.ips.length === 0) {
        throw new DaemonError('Internal', `cni network "${network.name}", ADD: the result has no address for ${IFNAME}, must have one`);
      }
      await this.#records.saveResult(record, result);
      stage('cni.result-recorded');
      return attachment;
    } catch (error) {
      await this.#takeBack(refusal === undefined ? record : { ...record, refusal }, begun).catch((failed: unknown) => {
        this.#log.error(`take back a failed attach: ${messageOf(failed)}; its record stays`, { sandboxId: containerId });
      });
      throw error; // The first failure is what the caller hears.
    }
  }

  async #takeBack(record: AttachmentRecord, last: number): Promise<void> {
    // On disk before the first DEL, so that later tries know what was refused.
    if (record.refusal !== undefined) {
      await this.#records.save(record).catch((error: unknown) => {
        this.#log.warn(`note how a plugin refused an attach: ${messageOf(error)}`, { sandboxId: record.containerId });
      });
    }
    await this.#deleteUnfinished(record, record.netnsPath, { last });
    stage('cni.deleted');
    await this.#records.remove(record.containerId);
    stage('cni.record-removed');
  }

  async #deleteUnfinished(
    record: AttachmentRecord,
    netnsPath: string | undefined,
    how: { last: number; signal?: AbortSignal; failures?: number },
  ): Promise<void> {
    const { network, refusal } = record;
    const limits = this.#deleteLimits(how.signal);
    const isLastTry = (how.failures ?? 0) + 1 >= REFUSED_TRIES;
    const target = targetOf(record, netnsPath);
    const givenUp = await takeBackAdd(this.#runner, { conf: network, target, limits, last: how.last, refusal, isLastTry });
    if (givenUp === undefined) return;
    this.#log.error(`${givenUp}; it refused the ADD in the same words and is not asked again`, { sandboxId: record.containerId });
  }

  async #releaseQueued(containerId: string, signal: AbortSignal, failures: number): Promise<void> {
    await this.#operations.run(containerId, async () => {
      const netnsPath = existing(this.#pending.get(containerId)?.netnsPath);
      await this.#release(this.#pending, { containerId, netnsPath, pod: UNKNOWN_POD }, signal, failures);
      if (!this.#kept.delete(containerId)) return;
      await this.#options.releaseNamespace?.(containerId);
      stage('cni.namespace-released');
    });
  }

  /** Has the namespace of a queued detach kept, where it is there. */
  #keepNamespace(containerId: string): void {
    const path = existing(this.#pending.get(containerId)?.netnsPath);
    if (path === undefined) return;
    const limit = this.#options.keptNamespaces ?? KEPT_NAMESPACES;
    if (this.#kept.size < limit) this.#kept.add(containerId);
    else this.#log.warn(`${limit} namespaces are kept for queued detaches already; this one is not`, { sandboxId: containerId });
  }

  async #release(records: AttachmentRecords, request: NetworkDetachRequest, signal: AbortSignal, failures = 0): Promise<void> {
    const { containerId, netnsPath } = request;
    const record = records.get(containerId) ?? this.#standIn(records, request);
    if (record === undefined) return;
    if (record.result === undefined) {
      const last = record.refusal?.index ?? record.network.plugins.length - 1;
      await this.#deleteUnfinished(record, netnsPath, { last, signal, failures });
    } else await deleteFromNetwork(this.#runner, record.network, targetOf(record, netnsPath), this.#deleteLimits(signal), record.result);
    stage('cni.deleted');
    await records.remove(containerId);
    stage('cni.record-removed');
  }

  /** What a container with an unreadable record is detached by: the current network of its handler, or of the node. */
  #standIn(records: AttachmentRecords, request: NetworkDetachRequest): AttachmentRecord | undefined {
    const { containerId, pod, netnsPath = '' } = request;
    if (!records.isCorrupt(containerId)) return undefined;
    const confs = this.#confs.of(request.handler);
    const network = confs.current?.conf;
    if (network === undefined) {
      throw new DaemonError(
        'Unavailable',
        `detach ${containerId} from the network: its record ${records.corruptFile(containerId)} cannot be read, and there is ${confs.problem}; put a configuration there or remove the record`,
      );
    }
    return { containerId, pod, netnsPath, ifName: IFNAME, network, capabilityArgs: {}, createdAt: '' };
  }

  #deleteLimits(signal?: AbortSignal): Limits {
    const timeoutMs = this.#options.delTimeoutMs ?? 60_000;
    return signal === undefined ? { timeoutMs } : { timeoutMs, signal };
  }

  #queryLimits(signal: AbortSignal): Limits {
    return { timeoutMs: this.#options.queryTimeoutMs ?? 10_000, signal };
  }
}
