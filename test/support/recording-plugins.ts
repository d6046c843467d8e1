import { Event } from '../../api/nri/enums.ts';
import type { ContainerAdjustment, ContainerUpdate, Init, OwningPlugins } from '../../api/nri/messages.ts';
import { messages } from '../../api/nri/messages.ts';
import type { PluginCalls } from '../../src/lifecycle/sandbox-events.ts';
import { Windows } from '../../src/nri/windows.ts';

/** How long a joiner holds windows up, milliseconds: longer than any test of windows may take. */
export const PATIENCE_MS = 60_000;

const NAMES = Object.fromEntries(Object.entries(Event).map(([name, number]) => [number, name]));

interface Told {
  readonly pod?: { readonly name?: string } | undefined;
  readonly container?: { readonly name?: string } | undefined;
}

/** Plugins as the lifecycle knows them, one question at a time, with the windows of the real ones. Answers are a test's. */
export class RecordingPlugins implements PluginCalls {
  readonly #windows = new Windows(() => PATIENCE_MS);
  #queue: Promise<unknown> = Promise.resolve();
  /** `EVENT name` of each question, when its turn came. */
  readonly told: string[] = [];
  readonly requests: unknown[] = [];
  active = true;
  /** What is answered: an error is a refusal, a function is waited for. */
  answers: Partial<Record<number, Error | (() => Promise<void>)>> = {};
  adjustment: Init<ContainerAdjustment> = {};
  owners: Init<OwningPlugins>['owners'] = {};
  /** What is wanted of other containers at CREATE, UPDATE and STOP. */
  updates: (container: string) => Init<ContainerUpdate>[] = () => [];
  unwanted: readonly number[] = [];

  wants(event: number): boolean {
    return !this.unwanted.includes(event);
  }

  async window<T>(work: () => Promise<T>): Promise<T> {
    return this.#windows.window(work);
  }

  /** A plugin that joins: resolves when it is synchronized. */
  async join(): Promise<void> {
    await this.#windows.alone(async () => {
      this.told.push('JOIN');
      await Promise.resolve();
    });
  }

  async relay(event: number, request: Told): Promise<void> {
    await this.#ask(event, request);
  }

  async createContainer(request: Told): ReturnType<PluginCalls['createContainer']> {
    await this.#ask(Event.CREATE_CONTAINER, request);
    const adjust = messages.ContainerAdjustment.decode(messages.ContainerAdjustment.encode(this.adjustment));
    const owners = messages.OwningPlugins.decode(messages.OwningPlugins.encode({ owners: this.owners }));
    return { adjust, owners, updates: this.#updates(request), evictions: [] };
  }

  async updateContainer(request: Told): ReturnType<PluginCalls['updateContainer']> {
    await this.#ask(Event.UPDATE_CONTAINER, request);
    return { resources: undefined, updates: this.#updates(request), evictions: [] };
  }

  async stopContainer(request: Told): ReturnType<PluginCalls['stopContainer']> {
    await this.#ask(Event.STOP_CONTAINER, request);
    return { resources: undefined, updates: this.#updates(request), evictions: [] };
  }

  #updates({ container }: Told): ContainerUpdate[] {
    return this.updates(container?.name ?? '').map((update) => messages.ContainerUpdate.decode(messages.ContainerUpdate.encode(update)));
  }

  async #ask(event: number, request: Told): Promise<void> {
    const turn = this.#queue.then(async () => {
      this.told.push(`${NAMES[event] ?? ''} ${request.container?.name ?? request.pod?.name ?? ''}`);
      this.requests.push(request);
      const answer = this.answers[event];
      if (answer instanceof Error) throw answer;
      await answer?.();
    });
    this.#queue = turn.catch(() => undefined);
    await turn;
  }
}
