import type { CreateContainerRequest, StopContainerRequest, UpdateContainerRequest } from '../../api/nri/messages.ts';
import { messages } from '../../api/nri/messages.ts';
import type { Log } from '../base/log.ts';
import type { NriEvent, RelayedEvent, RelayedRequest } from './events.ts';
import type { PluginHost } from './host.ts';
import type { NriReport } from './report.ts';
import type { CreationWishes, UpdateWishes } from './results.ts';
import type { NriSettings } from './settings.ts';
import { Windows } from './windows.ts';

/** One call of a plugin, for metrics. */
export interface PluginCall {
  /** `INDEX-NAME` */
  readonly plugin: string;
  /** `CreateContainer` */
  readonly call: string;
  readonly ms: number;
  readonly failed: boolean;
}

/** What a plugin's answer asks for, for metrics. */
export interface PluginWish {
  /** `INDEX-NAME` */
  readonly plugin: string;
  readonly call: string;
  /** Whether it adjusts the container itself. */
  readonly adjusts: boolean;
  readonly updates: number;
  readonly evictions: number;
}

export interface PluginsOptions {
  /** Asked each time, since some of it may change. */
  readonly settings: () => NriSettings;
  readonly log: Log;
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
  readonly #windows: Windows;

  constructor(options: PluginsOptions) {
    this.#options = options;
    this.#windows = new Windows(() => options.settings().requestTimeoutMs);
  }

  /**
   * Launches the plugins of the directory and waits for them, but no longer than `registration_timeout`; then listens for others.
   * What fails in that is told in the log: a node is no better off without its runtime than without a plugin.
   */
  async start(_host: PluginHost): Promise<void> {
    return Promise.resolve();
  }

  /** Stops listening, lets all plugins know, and ends the launched ones. */
  async close(): Promise<void> {
    return Promise.resolve();
  }

  /** Whether anybody is to be asked, or may be soon; else nothing need be built for {@link relay} and its like. */
  get active(): boolean {
    return false;
  }

  /** Whether anybody wants to hear of an event, or may soon. */
  wants(_event: NriEvent): boolean {
    return false;
  }

  /**
   * Runs work while no plugin is synchronized: from the event before a change to the moment when the change is seen by
   * {@link PluginHost.snapshot}. It may begin late, by `registration_timeout` at most where a plugin is being synchronized, by
   * `request_timeout` where one waits for that. Not to be called within another window, nor while a lock is held.
   */
  async window<T>(work: () => Promise<T>): Promise<T> {
    return this.#windows.window(work);
  }

  /**
   * Tells plugins of an event, one after the other.
   * @throws {DaemonError} Internal with the plugin's name and words.
   */
  async relay<E extends RelayedEvent>(_event: E, _request: RelayedRequest<E>): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Asks plugins about a container that is to be created, and validators about the answers.
   * @throws {DaemonError} Internal with a plugin's words; FailedPrecondition where answers contradict each other; PermissionDenied
   * where a validator refuses.
   */
  async createContainer(_request: CreateContainerRequest): Promise<CreationWishes> {
    return Promise.resolve({ adjust: messages.ContainerAdjustment.decode(new Uint8Array(0)), updates: [], evictions: [] });
  }

  /** Asks plugins about new resources of a container. @throws as {@link createContainer}. */
  async updateContainer(_request: UpdateContainerRequest): Promise<UpdateWishes> {
    return Promise.resolve({ resources: undefined, updates: [], evictions: [] });
  }

  /** Tells plugins that a container has ended. @throws as {@link createContainer}. */
  async stopContainer(_request: StopContainerRequest): Promise<UpdateWishes> {
    return Promise.resolve({ resources: undefined, updates: [], evictions: [] });
  }

  describe(): NriReport {
    const { enable, listenPath } = this.#options.settings();
    return { enabled: enable, listenPath, plugins: [] };
  }
}
