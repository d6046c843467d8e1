import { Event } from '../../api/nri/enums.ts';
import { waitFor } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Plugins } from '../nri/plugins.ts';
import { nriResourcesOfCri } from '../ocispec/nri-resources.ts';
import type { SandboxLifecycle } from '../podsandbox/lifecycle.ts';
import type { PodResources, Sandbox } from '../podsandbox/sandbox.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { podMessage } from './pod-message.ts';

/** What of the plugins the lifecycle needs. */
export type PluginCalls = Pick<Plugins, 'active' | 'wants' | 'window' | 'relay' | 'createContainer' | 'updateContainer' | 'stopContainer'>;

export interface SandboxEventsParts {
  readonly plugins: PluginCalls;
  /** Asked late: the sandboxes are made with this lifecycle. */
  readonly sandboxes: () => Pick<Sandboxes, 'store' | 'runtimeSpec'>;
  readonly log: Log;
}

type PodEvent =
  typeof Event.RUN_POD_SANDBOX | typeof Event.POST_UPDATE_POD_SANDBOX | typeof Event.STOP_POD_SANDBOX | typeof Event.REMOVE_POD_SANDBOX;

/**
 * The plugins' part in the life of sandboxes. Each step is done in a window, from its event to the state that shows it: a plugin
 * that joins knows the sandbox from its synchronization, or hears of it, and never both or neither.
 */
export class SandboxEvents implements SandboxLifecycle {
  readonly #parts: SandboxEventsParts;
  /** Sandboxes whose stop was told; a stop may need several tries. */
  readonly #stopsTold = new Set<string>();

  constructor(parts: SandboxEventsParts) {
    this.#parts = parts;
  }

  async run(sandbox: Sandbox, work: AbortSignal, finish: () => Promise<void>): Promise<void> {
    const { plugins } = this.#parts;
    await plugins.window(async () => {
      if (!plugins.active) return finish();
      try {
        // Who gives up waiting ignores the answer. What follows is told after it, since plugins are told one thing after the other.
        await waitFor(this.#relay(Event.RUN_POD_SANDBOX, sandbox), work);
        await finish();
      } catch (error) {
        await this.#tell(Event.STOP_POD_SANDBOX, sandbox);
        await this.#tell(Event.REMOVE_POD_SANDBOX, sandbox);
        throw error;
      }
    });
  }

  async update(sandbox: Sandbox, told: PodResources, apply: () => Promise<void>): Promise<void> {
    const { plugins, sandboxes } = this.#parts;
    await plugins.window(async () => {
      if (plugins.active && plugins.wants(Event.UPDATE_POD_SANDBOX)) {
        await plugins.relay(Event.UPDATE_POD_SANDBOX, {
          pod: await podMessage(sandboxes(), sandbox),
          overheadLinuxResources: nriResourcesOfCri(told.overhead),
          linuxResources: nriResourcesOfCri(told.resources),
        });
      }
      await apply();
      const updated = sandboxes().store.get(sandbox.record.id);
      if (updated !== undefined) await this.#tell(Event.POST_UPDATE_POD_SANDBOX, updated);
    });
  }

  async stop(sandbox: Sandbox): Promise<void> {
    const { plugins } = this.#parts;
    if (!plugins.active) return;
    await plugins.window(async () => this.#tellStop(sandbox));
  }

  async remove(sandbox: Sandbox, begin: () => Promise<void>): Promise<void> {
    const { plugins } = this.#parts;
    await plugins.window(async () => {
      if (plugins.active) {
        // One that was parked is removed without a stop.
        if (sandbox.state.is !== 'NotReady') await this.#tellStop(sandbox);
        await this.#tell(Event.REMOVE_POD_SANDBOX, sandbox);
      }
      this.#stopsTold.delete(sandbox.record.id);
      await begin();
    });
  }

  async #tellStop(sandbox: Sandbox): Promise<void> {
    const { id } = sandbox.record;
    if (this.#stopsTold.has(id)) return;
    this.#stopsTold.add(id);
    await this.#tell(Event.STOP_POD_SANDBOX, sandbox);
  }

  async #relay(event: PodEvent, sandbox: Sandbox): Promise<void> {
    const { plugins, sandboxes } = this.#parts;
    if (plugins.active && plugins.wants(event)) await plugins.relay(event, { pod: await podMessage(sandboxes(), sandbox) });
  }

  /** Of what has happened anyway. Never rejects. */
  async #tell(event: PodEvent, sandbox: Sandbox): Promise<void> {
    try {
      await this.#relay(event, sandbox);
    } catch (error) {
      this.#parts.log.warn('telling plugins of a pod failed', { sandboxId: sandbox.record.id, error: messageOf(error) });
    }
  }
}
