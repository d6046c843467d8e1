import { Event } from '../../api/nri/enums.ts';
import type {
  ContainerUpdate,
  CreateContainerRequest,
  StopContainerRequest,
  UpdateContainerRequest,
  UpdateContainersRequest,
  UpdateContainersResponse,
} from '../../api/nri/messages.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { refusal } from './connection.ts';
import { Departed } from './departed.ts';
import { Dispatcher } from './dispatch.ts';
import type { NriEvent, RelayedEvent, RelayedRequest } from './events.ts';
import type { PluginHost } from './host.ts';
import { join } from './join.ts';
import { MOST_CONNECTED, MOST_JOINING } from './limits.ts';
import { LaunchedPlugins } from './launched-plugins.ts';
import { LaunchedProcesses } from './launched-processes.ts';
import { limitedLog } from './limited-log.ts';
import { PluginListener } from './listener.ts';
import type { Newcomer, Taken } from './newcomer.ts';
import type { PluginCall, PluginWish } from './observed.ts';
import { Plugin } from './plugin.ts';
import { defaultValidatorReport, type NriReport } from './report.ts';
import type { CreationWishes, UpdateWishes } from './results.ts';
import { runtimeCalls } from './runtime-calls.ts';
import { Setbacks } from './setbacks.ts';
import type { NriSettings } from './settings.ts';
import { Windows } from './windows.ts';

/** How long no more is told of connections that are refused, milliseconds. */
const REFUSALS_PAUSE_MS = 1000;

export interface PluginsOptions {
  /** Asked each time, since some of it may change. */
  readonly settings: () => NriSettings;
  readonly log: Log;
  /** Where the processes of launched plugins are noted, for the start after a crash. */
  readonly processesFile: string;
  /** Each call of a plugin, when it is over. */
  readonly onCall?: (call: PluginCall) => void;
  /** Each answer that asks for something. */
  readonly onWish?: (wish: PluginWish) => void;
  /** How many plugins are ready, each time that this changes. */
  readonly onCount?: (count: number) => void;
}

/**
 * The plugins of the node, by the Node Resource Interface: they connect or are launched, hear of what happens to pods and
 * containers, and adjust containers. Callers ask {@link active} or {@link wants} first, so that without plugins no message is
 * built, and put what a call and its visible result span into a {@link window} in any case: a plugin may come in the middle.
 */
export class Plugins {
  readonly #options: PluginsOptions;
  readonly #log: Log;
  /** For lines about plugins from outside. */
  readonly #outsideLog: Log;
  readonly #windows: Windows;
  readonly #dispatcher: Dispatcher;
  readonly #updates = new KeyedMutex<Plugin>();
  readonly #departed = new Departed();
  readonly #setbacks = new Setbacks();
  readonly #joining = new Set<Plugin>();
  readonly #startedAt = new Date();
  #launched: LaunchedPlugins | undefined;
  /** Whether the daemon ends, and had plugins. */
  #hasLost = false;
  /** When a connection that is refused is told of again. */
  #silentUntil = 0;
  #listener: PluginListener | undefined;

  constructor(options: PluginsOptions) {
    const { settings, log } = options;
    this.#options = options;
    this.#log = log;
    this.#outsideLog = limitedLog(log);
    this.#windows = new Windows(() => settings().requestTimeoutMs);
    this.#dispatcher = new Dispatcher({ settings, log, onWish: (wish) => options.onWish?.(wish) });
  }

  /**
   * Launches the plugins of the directory and waits for them, but no longer than `registration_timeout`; then listens for others.
   * What fails in that is told in the log: a node is no better off without its runtime than without a plugin.
   */
  async start(host: PluginHost): Promise<void> {
    const { settings } = this.#options;
    const { enable, pluginDir, listenPath, registrationTimeoutMs } = settings();
    if (!enable) return;
    const log = this.#log;
    const take = (newcomer: Newcomer): Taken => this.#take(host, newcomer);
    if (pluginDir !== '') {
      const processes = new LaunchedProcesses(this.#options.processesFile, log);
      this.#launched = new LaunchedPlugins({ settings, log, take, processes });
      await this.#launched.start(pluginDir, registrationTimeoutMs);
    }
    if (listenPath !== '') {
      const onConnection = (newcomer: Pick<Newcomer, 'stream' | 'pid'>): void => {
        const reason = this.#noRoom();
        if (reason === undefined) take({ ...newcomer, kind: 'external', configuration: '' });
        else this.#refuse(newcomer, reason);
      };
      this.#listener = new PluginListener({ log, onConnection });
      await this.#listener.listen(listenPath);
    }
  }

  /** Why there is no room for another connection; undefined: there is. */
  #noRoom(): string | undefined {
    const joining = this.#joining.size;
    if (joining >= MOST_JOINING) return `${MOST_JOINING} others are not ready yet`;
    return joining + this.#dispatcher.plugins.length >= MOST_CONNECTED ? `${MOST_CONNECTED} others are connected` : undefined;
  }

  #refuse({ stream, pid }: Pick<Newcomer, 'stream' | 'pid'>, reason: string): void {
    stream.destroy();
    // Whoever comes without end is told of now and then.
    if (performance.now() < this.#silentUntil) return;
    this.#silentUntil = performance.now() + REFUSALS_PAUSE_MS;
    this.#log.warn('connections of NRI plugins are refused', { reason, ...(pid === undefined ? {} : { pid }) });
  }

  /** Stops listening, lets all plugins know, and ends the launched ones. */
  async close(): Promise<void> {
    this.#hasLost ||= this.active;
    await this.#listener?.close();
    this.#launched?.startNoMore();
    await Promise.all([...this.#dispatcher.plugins, ...this.#joining].map(async (plugin) => plugin.shutDown()));
    await this.#launched?.close();
  }

  /** Whether anybody is to be asked, or may be soon; else nothing need be built for {@link relay} and its like. */
  get active(): boolean {
    return this.#hasLost || this.#dispatcher.plugins.length > 0 || this.#joining.size > 0 || this.#hasDefaultValidator;
  }

  /** Whether anybody wants to hear of an event, or may soon. */
  wants(event: NriEvent): boolean {
    if (event === Event.CREATE_CONTAINER && (this.#hasLost || this.#hasDefaultValidator)) return true;
    const isFor = (plugin: Plugin): boolean =>
      plugin.wants(event) || (event === Event.CREATE_CONTAINER && plugin.wants(Event.VALIDATE_CONTAINER_ADJUSTMENT));
    return this.#dispatcher.plugins.some(isFor) || [...this.#joining].some(isFor);
  }

  /**
   * Runs work while no plugin is synchronized: from the event before a change to the moment when the change is seen by
   * {@link PluginHost.snapshot}. It may begin late: by `request_timeout` at most while a plugin waits for its synchronization, and then
   * by `registration_timeout` at most while plugins are synchronized. Starts, ends and removals call it under a lock, which they hold for
   * as long, and for the answers of the plugins. Windows that are open may wait for that lock: the first of the two times bounds that,
   * and a synchronization takes no lock. Not to be called within another window, which would wait for `request_timeout` in vain.
   */
  async window<T>(work: () => Promise<T>): Promise<T> {
    return this.#windows.window(work);
  }

  /**
   * Tells plugins of an event, one after the other.
   * @throws {DaemonError} Internal with the plugin's name and words.
   */
  async relay<E extends RelayedEvent>(event: E, request: RelayedRequest<E>): Promise<void> {
    await this.#dispatcher.relay(event, request);
  }

  /**
   * Asks plugins about a container that is to be created, and validators about the answers.
   * @throws {DaemonError} Internal with a plugin's words; FailedPrecondition where answers contradict each other; PermissionDenied
   * where a validator refuses; Unavailable where the daemon ends: a later one would hand out what was made without its plugins.
   */
  async createContainer(request: CreateContainerRequest): Promise<CreationWishes> {
    const wishes = await this.#dispatcher.createContainer(request);
    if (this.#hasLost) throw new DaemonError('Unavailable', 'create container: the daemon ends, and its NRI plugins with it');
    return wishes;
  }

  /** Asks plugins about new resources of a container. @throws as {@link createContainer}. */
  async updateContainer(request: UpdateContainerRequest): Promise<UpdateWishes> {
    return this.#dispatcher.updateContainer(request);
  }

  /** Tells plugins that a container has ended. @throws as {@link createContainer}. */
  async stopContainer(request: StopContainerRequest): Promise<UpdateWishes> {
    return this.#dispatcher.stopContainer(request);
  }

  describe(): NriReport {
    const { enable, listenPath } = this.#options.settings();
    const live = [...this.#dispatcher.plugins, ...this.#joining].map((plugin) => plugin.report());
    const fault = this.#listener?.fault;
    return {
      enabled: enable,
      listenPath: enable ? listenPath : '',
      ...(fault === undefined ? {} : { listenFault: fault }),
      plugins: [
        ...(this.#hasDefaultValidator ? [defaultValidatorReport(this.#startedAt)] : []),
        ...live,
        ...(this.#launched?.down() ?? []),
        ...this.#departed.list(live),
      ],
    };
  }

  get #hasDefaultValidator(): boolean {
    const { enable, defaultValidator } = this.#options.settings();
    return enable && defaultValidator.enable;
  }

  /** Takes in a connection. `joined` resolves when its plugin is ready, or gone. */
  #take(host: PluginHost, { configuration, ...newcomer }: Newcomer): Taken {
    const { settings, onCall } = this.#options;
    const update = async (request: UpdateContainersRequest): Promise<UpdateContainersResponse> => this.#updateFor(host, plugin, request);
    const log = this.#logFor(newcomer);
    const { calls, registration } = runtimeCalls({ identity: newcomer.identity, update });
    const plugin: Plugin = new Plugin({ ...newcomer, calls, onCall: (call) => onCall?.(call), log });
    this.#joining.add(plugin);
    void plugin.ended.then(() => {
      this.#forget(plugin);
    });
    const add = (): void => {
      this.#add(plugin);
    };
    const apply = async (updates: readonly ContainerUpdate[]): Promise<void> => {
      await this.#updates.run(plugin, async () => this.#apply(host, plugin, updates));
    };
    const parts = { settings, host, windows: this.#windows, setbacks: this.#setbacks, log, add, update: apply };
    const joined = join(plugin, { registration, configuration }, parts);
    return { plugin, joined };
  }

  #logFor({ kind }: Pick<Newcomer, 'kind'>): Log {
    return kind === 'external' ? this.#outsideLog : this.#log;
  }

  #add(plugin: Plugin): void {
    if (plugin.isGone) return;
    this.#joining.delete(plugin);
    plugin.becomeReady();
    this.#dispatcher.add(plugin);
    const { name, pid, events } = plugin.report();
    this.#logFor(plugin).info('an NRI plugin is ready', { plugin: name, ...(pid === undefined ? {} : { pid }), events });
    this.#options.onCount?.(this.#dispatcher.plugins.length);
  }

  #forget(plugin: Plugin): void {
    this.#joining.delete(plugin);
    this.#dispatcher.remove(plugin);
    this.#setbacks.wasReady(plugin.label, plugin.readyMs);
    if (plugin.hungWhileReady) this.#setbacks.heldUp(plugin.label, performance.now());
    if (plugin.kind === 'external') this.#departed.add(plugin.report());
    this.#options.onCount?.(this.#dispatcher.plugins.length);
  }

  /** What a plugin wants done outside of any event: one request of it after the other, so that the last one counts. */
  async #updateFor(host: PluginHost, plugin: Plugin, { update, evict }: UpdateContainersRequest): Promise<UpdateContainersResponse> {
    if (!plugin.isConfigured) throw refusal('FailedPrecondition', 'this plugin is not configured yet, must be to update containers');
    return await this.#updates.run(plugin, async () => {
      this.#options.onWish?.({
        plugin: plugin.label,
        call: 'UpdateContainers',
        adjusts: false,
        updates: update.length,
        evictions: evict.length,
      });
      const failed = update.length === 0 ? [] : await host.update(update, plugin.label);
      if (evict.length > 0) await host.evict(evict, plugin.label);
      return { failed };
    });
  }

  /** What it wanted at its synchronization: nobody waits for an answer to that. */
  async #apply(host: PluginHost, plugin: Plugin, updates: readonly ContainerUpdate[]): Promise<void> {
    const fields = { plugin: plugin.label };
    const log = this.#logFor(plugin);
    try {
      const failed = await host.update(updates, plugin.label);
      for (const { containerId } of failed) log.warn('a container could not be updated for an NRI plugin', { ...fields, containerId });
    } catch (error) {
      log.warn('containers could not be updated for an NRI plugin', { ...fields, error: messageOf(error) });
    }
  }
}
