import { Event } from '../../api/nri/enums.ts';
import { PluginMethods } from '../../api/nri/messages.ts';
import type {
  ContainerEviction,
  ContainerUpdate,
  CreateContainerRequest,
  PluginInstance,
  StopContainerRequest,
  UpdateContainerRequest,
  ValidateContainerAdjustmentRequest,
} from '../../api/nri/messages.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { EVENT_NAMES, isVetoable, RELAYED_EVENTS } from './events.ts';
import type { NriEvent, RelayedEvent, RelayedRequest } from './events.ts';
import { shortened } from './limits.ts';
import { CreateResult } from './merge/create-result.ts';
import { defaultValidator } from './merge/default-validator.ts';
import { UpdateResult } from './merge/update-result.ts';
import type { Plugin } from './plugin.ts';
import type { PluginWish } from './observed.ts';
import { DEFAULT_VALIDATOR } from './report.ts';
import type { NriSettings } from './settings.ts';

/** What a plugin answers that wants others changed. */
interface Wishes {
  readonly update: readonly ContainerUpdate[];
  readonly evict?: readonly ContainerEviction[];
}

export interface DispatcherOptions {
  readonly settings: () => NriSettings;
  readonly log: Log;
  readonly onWish: (wish: PluginWish) => void;
}

/**
 * Hands events to plugins: one event at a time, to one plugin after the other in the order of their indexes, since plugins rely
 * on both. A plugin that is dropped meanwhile is left out.
 */
export class Dispatcher {
  readonly #settings: () => NriSettings;
  readonly #log: Log;
  readonly #onWish: (wish: PluginWish) => void;
  readonly #turns = new KeyedMutex<'event'>();
  #plugins: readonly Plugin[] = [];

  constructor({ settings, log, onWish }: DispatcherOptions) {
    this.#settings = settings;
    this.#log = log;
    this.#onWish = onWish;
  }

  /** Those that hear of events, in the order in which they do. */
  get plugins(): readonly Plugin[] {
    return this.#plugins;
  }

  add(plugin: Plugin): void {
    this.#plugins = [...this.#plugins, plugin].sort(byLabel);
  }

  remove(plugin: Plugin): void {
    this.#plugins = this.#plugins.filter((each) => each !== plugin);
  }

  /** @throws {DaemonError} Internal with the first error of a plugin. Where that cannot change anything, the others hear of the event all the same. */
  async relay<E extends RelayedEvent>(event: E, request: RelayedRequest<E>): Promise<void> {
    if (!this.#hasAny(event)) return;
    const payload = PluginMethods[RELAYED_EVENTS[event]].request.encode(request);
    await this.#turns.run('event', async () => {
      const errors: unknown[] = [];
      for (const plugin of this.#subscribers(event)) {
        try {
          await plugin.relay(event, request, payload, this.#timeoutMs);
        } catch (error) {
          if (isVetoable(event)) throw error;
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    });
  }

  async createContainer(request: CreateContainerRequest): Promise<CreateResult> {
    return this.#turns.run('event', async () => {
      const result = new CreateResult(request);
      // A validator that is dropped while it adjusts has not allowed anything.
      const validators = this.#subscribers(Event.VALIDATE_CONTAINER_ADJUSTMENT);
      const asked: PluginInstance[] = this.#settings().defaultValidator.enable ? [DEFAULT_VALIDATOR] : [];
      for (const plugin of this.#plugins) {
        if (plugin.wants(Event.CREATE_CONTAINER)) {
          const response = await plugin.call('CreateContainer', result.request, this.#timeoutMs);
          // The module counts it among those that have been asked all the same, so that a required plugin may fall silent.
          if (response === undefined) continue;
          result.apply(response, plugin.label);
          this.#tellWish(plugin, 'CreateContainer', response, response.adjust !== undefined);
        }
        asked.push(plugin.identity);
      }
      await this.#validate(validators, () => result.validation(asked));
      return result;
    });
  }

  async updateContainer(request: UpdateContainerRequest): Promise<UpdateResult> {
    const ask = async (plugin: Plugin, result: UpdateResult): Promise<Wishes | undefined> =>
      plugin.call('UpdateContainer', result.request ?? request, this.#timeoutMs);
    return this.#collect(Event.UPDATE_CONTAINER, new UpdateResult(request), ask);
  }

  /** A plugin's error is only logged: the container has ended, and the others are to hear of it. */
  async stopContainer(request: StopContainerRequest): Promise<UpdateResult> {
    const ask = async (plugin: Plugin): Promise<Wishes | undefined> => plugin.call('StopContainer', request, this.#timeoutMs);
    return this.#collect(Event.STOP_CONTAINER, new UpdateResult(undefined), ask);
  }

  get #timeoutMs(): number {
    return this.#settings().requestTimeoutMs;
  }

  #hasAny(event: NriEvent): boolean {
    return this.#plugins.some((plugin) => plugin.wants(event));
  }

  #subscribers(event: NriEvent): Plugin[] {
    return this.#plugins.filter((plugin) => plugin.wants(event));
  }

  async #collect(
    event: typeof Event.UPDATE_CONTAINER | typeof Event.STOP_CONTAINER,
    result: UpdateResult,
    ask: (plugin: Plugin, result: UpdateResult) => Promise<Wishes | undefined>,
  ): Promise<UpdateResult> {
    if (!this.#hasAny(event)) return result;
    return this.#turns.run('event', async () => {
      for (const plugin of this.#subscribers(event)) {
        try {
          const response = await ask(plugin, result);
          if (response === undefined) continue;
          result.apply(response, plugin.label);
          this.#tellWish(plugin, EVENT_NAMES[event], response, false);
        } catch (error) {
          if (event === Event.UPDATE_CONTAINER) throw error;
          this.#log.warn('an NRI plugin has failed', { plugin: plugin.label, what: EVENT_NAMES[event], error: messageOf(error) });
        }
      }
      return result;
    });
  }

  #tellWish(plugin: Plugin, call: string, { update, evict = [] }: Wishes, adjusts: boolean): void {
    if (adjusts || update.length > 0 || evict.length > 0)
      this.#onWish({ plugin: plugin.label, call, adjusts, updates: update.length, evictions: evict.length });
  }

  /** @throws {DaemonError} PermissionDenied with the first reason against it; Internal where a validator does not answer. */
  async #validate(validators: readonly Plugin[], question: () => ValidateContainerAdjustmentRequest): Promise<void> {
    const own = this.#settings().defaultValidator;
    if (validators.length === 0 && !own.enable) return;
    const request = question();
    const reason = await defaultValidator(own)(request);
    if (reason !== undefined) throw refused(`${DEFAULT_VALIDATOR.index}-${DEFAULT_VALIDATOR.name}`, reason);
    const answers = await Promise.allSettled(
      validators.map(async (plugin) => {
        const answer = await plugin.validate(request, this.#timeoutMs);
        if (answer === undefined)
          throw new DaemonError('Internal', `NRI plugin ${plugin.label}: it has not said whether it allows the container`);
        if (answer.reject) throw refused(plugin.label, answer.reason);
      }),
    );
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

function refused(plugin: string, reason: string): DaemonError {
  return new DaemonError(
    'PermissionDenied',
    `NRI validator ${plugin} refuses what plugins want done to the container: ${shortened(reason)}`,
  );
}

function byLabel(one: Plugin, other: Plugin): number {
  return one.label < other.label ? -1 : one.label > other.label ? 1 : 0;
}
