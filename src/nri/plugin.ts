import type { Duplex } from 'node:stream';
import { messages, PluginMethods } from '../../api/nri/messages.ts';
import { settledWithin } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { step } from '../base/steps.ts';
import { connectPlugin, decodeAnswer, faultOf, isBroken, isTimeout, isUnimplemented } from './connection.ts';
import type { PluginConnection, RuntimeCalls } from './connection.ts';
import { MOST_BYTES_OF_A_PLUGIN, shortened } from './limits.ts';
import { eventNames, hasEvent, RELAYED_EVENTS } from './events.ts';
import type { CallName, NriEvent, RelayedEvent, RelayedRequest, RequestOf, ResponseOf } from './events.ts';
import type { PluginCall } from './observed.ts';
import type { PluginReport } from './report.ts';

/** How long a plugin may take to hear that the daemon ends, milliseconds. */
const SHUTDOWN_MS = 500;

/**
 * How long a plugin that may not register has to read why and to close its connection, milliseconds. Where the end of that is there too
 * when the Go library looks for the answer, it may take the end, "ttrpc: closed" (containerd/ttrpc client.go: dispatch).
 */
const FAREWELL_MS = 300;

export interface PluginOptions {
  readonly stream: Duplex;
  readonly kind: 'external' | 'launched';
  /** Of a launched one, whose file says it; others say it themselves. */
  readonly identity?: { readonly index: string; readonly name: string };
  readonly pid?: number;
  readonly calls: RuntimeCalls;
  readonly onCall: (call: PluginCall) => void;
  readonly log: Log;
}

/** A connected plugin: what it is called, what it wants to hear of, and its calls. */
export class Plugin {
  readonly kind: 'external' | 'launched';
  /** Resolves when it is not to be asked any more, with the reason: it has left, or was dropped. */
  readonly ended: Promise<string>;
  readonly #connection: PluginConnection;
  readonly #onCall: (call: PluginCall) => void;
  readonly #log: Log;
  readonly #pid: number | undefined;
  readonly #end: (reason: string) => void;
  /** Events of which it knows no call of their own, as plugins from before 0.11. */
  readonly #byStateChange = new Set<RelayedEvent>();
  /** Calls that it has not answered yet. */
  readonly #asked: CallName[] = [];
  #identity: { readonly index: string; readonly name: string } | undefined;
  #version = '';
  #events = 0;
  #state: PluginReport['state'] = 'registering';
  #since = new Date();
  #readyAt: number | undefined;
  #readyMs = 0;
  #hungWhileReady = false;
  #calls = 0;
  #failures = 0;
  #callsMs = 0;
  #longestMs = 0;
  #lastError: string | undefined;
  /** Why it is dropped, while it is given time to read that. */
  #farewell: string | undefined;

  constructor({ stream, kind, identity, pid, calls, onCall, log }: PluginOptions) {
    this.kind = kind;
    this.#identity = identity;
    this.#pid = pid;
    this.#onCall = onCall;
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#end = resolve;
    this.#connection = connectPlugin(stream, calls);
    void this.#connection.closed.then((why) => {
      const [call] = this.#asked;
      if (this.#farewell !== undefined) this.drop(this.#farewell);
      else if (call !== undefined) this.drop(`${call}: ${why?.message ?? 'the connection is closed'}`);
      else if (isBroken(why)) this.drop(why.message);
      else this.#leave();
    });
  }

  /** `INDEX-NAME` */
  get label(): string {
    return this.#identity === undefined ? 'unknown' : `${this.#identity.index}-${this.#identity.name}`;
  }

  get identity(): { readonly index: string; readonly name: string } {
    return this.#identity ?? { index: '', name: '' };
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Of one that has gone: for how long it was ready, milliseconds. */
  get readyMs(): number {
    return this.#readyMs;
  }

  /** Of one that has gone: whether it was dropped since it did not answer at an event in time. */
  get hungWhileReady(): boolean {
    return this.#hungWhileReady;
  }

  /** Whether it has subscribed to events. */
  get isConfigured(): boolean {
    return this.#state === 'waiting' || this.#state === 'ready';
  }

  /** What it says of itself when it registers. */
  identify(identity: { readonly index: string; readonly name: string }, version: string): void {
    this.#identity = identity;
    this.#version = shortened(version);
  }

  /** It has been configured, and waits for its synchronization. */
  subscribe(events: number): void {
    this.#events = events;
    this.#become('waiting');
  }

  becomeReady(): void {
    this.#readyAt = performance.now();
    this.#become('ready');
  }

  /** Whether it wants to hear of an event; one that has not registered yet may. */
  wants(event: NriEvent): boolean {
    return this.#state === 'registering' || hasEvent(this.#events, event);
  }

  /**
   * Asks the plugin.
   * @returns undefined where it did not answer as it must, and has been dropped.
   * @throws {DaemonError} Internal with the plugin's name and words, where it answered with an error.
   */
  async call<Name extends CallName>(name: Name, request: RequestOf<Name>, timeoutMs: number): Promise<ResponseOf<Name> | undefined> {
    const payload = PluginMethods[name].request.encode(request);
    return this.callEncoded(name, payload, timeoutMs);
  }

  /** As {@link call}, for a request that is encoded already. */
  async callEncoded<Name extends CallName>(name: Name, payload: Uint8Array, timeoutMs: number): Promise<ResponseOf<Name> | undefined> {
    return this.#counted(name, async () => this.#ask(name, payload, timeoutMs));
  }

  /** Tells the plugin of an event. @throws as {@link call}. */
  async relay<E extends RelayedEvent>(event: E, request: RelayedRequest<E>, payload: Uint8Array, timeoutMs: number): Promise<void> {
    const name = RELAYED_EVENTS[event];
    await this.#counted(name, async () => {
      if (!this.#byStateChange.has(event)) {
        try {
          return await this.#ask(name, payload, timeoutMs);
        } catch (error) {
          if (!isUnimplemented(error)) throw error;
          this.#byStateChange.add(event);
          this.#log.info('an NRI plugin is of before 0.11: it gets this event by StateChange', { plugin: this.label, what: name });
        }
      }
      const change = messages.StateChangeEvent.encode({ event, ...request });
      return await this.#ask('StateChange', change, timeoutMs);
    });
  }

  /**
   * Asks whether a container may be created. One that knows no such call is no validator, though it has subscribed to all events.
   * @returns and @throws as {@link call}.
   */
  async validate(
    request: RequestOf<'ValidateContainerAdjustment'>,
    timeoutMs: number,
  ): Promise<ResponseOf<'ValidateContainerAdjustment'> | undefined> {
    const name = 'ValidateContainerAdjustment';
    const payload = PluginMethods[name].request.encode(request);
    return this.#counted(name, async () => {
      try {
        return await this.#ask(name, payload, timeoutMs);
      } catch (error) {
        if (isUnimplemented(error)) return { reject: false, reason: '' };
        throw error;
      }
    });
  }

  /** Ends the connection, because the plugin cannot be worked with. Said once in the log. */
  drop(reason: string): void {
    if (this.isGone) return;
    this.#lastError = reason;
    this.#log.warn('an NRI plugin is dropped', { plugin: this.label, reason, ...(this.#pid === undefined ? {} : { pid: this.#pid }) });
    this.#finish(reason);
  }

  /** As {@link drop}, of one that is being answered why: its connection ends when it has read that and closed it, or after a moment. */
  async dropAnswered(reason: string): Promise<void> {
    this.#farewell = reason;
    await settledWithin(this.ended, FAREWELL_MS);
    this.drop(reason);
  }

  /** Tells the plugin that the daemon ends, where it is far enough to be told, and ends the connection. */
  async shutDown(): Promise<void> {
    if (this.isReady) await this.#ask('Shutdown', messages.Empty.encode({}), SHUTDOWN_MS).catch(() => undefined);
    if (!this.isGone) this.#finish('the daemon ends');
  }

  report(): PluginReport {
    return {
      name: this.label,
      kind: this.kind,
      state: this.#state,
      ...(this.#pid === undefined ? {} : { pid: this.#pid }),
      version: this.#version,
      events: eventNames(this.#events),
      since: this.#since.toISOString(),
      calls: this.#calls,
      failures: this.#failures,
      meanMs: this.#calls === 0 ? 0 : this.#callsMs / this.#calls,
      longestMs: this.#longestMs,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  async #ask<Name extends CallName>(name: Name, payload: Uint8Array, timeoutMs: number): Promise<ResponseOf<Name>> {
    const answer = await this.#connection.call(name, payload, timeoutMs);
    if (answer.length > MOST_BYTES_OF_A_PLUGIN)
      throw new DaemonError('ResourceExhausted', `its answer has ${answer.length} bytes, must have ${MOST_BYTES_OF_A_PLUGIN} at most`);
    return decodeAnswer(name, (bytes) => PluginMethods[name].response.decode(bytes) as ResponseOf<Name>, answer);
  }

  async #counted<T>(name: CallName, ask: () => Promise<T>): Promise<T | undefined> {
    if (this.isGone) return undefined;
    const started = performance.now();
    let failed = true;
    this.#asked.push(name);
    try {
      const answer = await step('ask NRI plugins', ask, `${this.label}, ${name}`);
      failed = false;
      return answer;
    } catch (error) {
      const fault = faultOf(error);
      if (fault !== undefined) {
        if (this.isReady && isTimeout(error)) this.#hungWhileReady = true;
        this.drop(`${name}: ${fault}`);
        return undefined;
      }
      this.#lastError = `${name}: ${shortened(messageOf(error))}`;
      throw new DaemonError('Internal', `NRI plugin ${this.label}: ${this.#lastError}`, { cause: error });
    } finally {
      this.#asked.splice(this.#asked.indexOf(name), 1);
      const ms = performance.now() - started;
      this.#calls += 1;
      this.#callsMs += ms;
      this.#longestMs = Math.max(this.#longestMs, ms);
      if (failed) this.#failures += 1;
      this.#onCall({ plugin: this.label, call: name, ms, failed });
    }
  }

  #leave(): void {
    if (this.isGone) return;
    this.#log.info('an NRI plugin has left', { plugin: this.label });
    this.#finish('it has left');
  }

  #finish(reason: string): void {
    if (this.#readyAt !== undefined) this.#readyMs = performance.now() - this.#readyAt;
    this.#become('gone');
    this.#connection.close();
    this.#end(reason);
  }

  #become(state: PluginReport['state']): void {
    this.#state = state;
    this.#since = new Date();
  }
}
