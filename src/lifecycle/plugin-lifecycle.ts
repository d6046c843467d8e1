import { isAliveState } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import type { ContainerLifecycle } from '../container/lifecycle.ts';
import type { ContainerParts } from '../container/parts.ts';
import { fail } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { PluginHost } from '../nri/host.ts';
import type { SandboxLifecycle } from '../podsandbox/lifecycle.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { Changes } from './changes.ts';
import { ContainerEvents, type PluginsWorld } from './container-events.ts';
import { containerMessage } from './container-message.ts';
import { podMessage } from './pod-message.ts';
import { SandboxEvents, type PluginCalls } from './sandbox-events.ts';

export interface PluginLifecycleParts {
  readonly sandboxes: Pick<Sandboxes, 'store' | 'runtimeSpec'>;
  readonly containers: Pick<Containers, 'store' | 'bundleOf' | 'adjust' | 'stop'>;
  readonly containerParts: Pick<ContainerParts, 'cdi' | 'hostFacts' | 'specSettings' | 'chosenCgroups' | 'log'>;
}

/** What plugins have to do with pods and containers: they are asked and told of them, and they see and change them. */
export class PluginLifecycle implements PluginHost {
  readonly sandboxes: SandboxLifecycle;
  readonly containers: ContainerLifecycle;
  #world: PluginsWorld | undefined;

  constructor(plugins: PluginCalls, log: Log) {
    const world = (): PluginsWorld => this.#known();
    this.sandboxes = new SandboxEvents({ plugins, sandboxes: () => this.#known().sandboxes, log });
    this.containers = new ContainerEvents({ plugins, world, log });
  }

  /** Hands in what is made with this lifecycle; before the first pod. */
  attach({ sandboxes, containers, containerParts }: PluginLifecycleParts): void {
    const { hostFacts, log } = containerParts;
    this.#world = { sandboxes, containers, changes: new Changes({ containers, hostFacts, log }), adjustParts: containerParts };
  }

  /**
   * What plugins are to know of: pods that are made and not being removed, and containers that have not ended. Those that
   * callers do not see (parked, or of a pod that is being restored) were told to plugins when they were made.
   */
  async snapshot(): ReturnType<PluginHost['snapshot']> {
    const { sandboxes, containers } = this.#known();
    const pods = sandboxes.store.list().filter(({ state }) => state.is !== 'Removing');
    const alive = containers.store.list().filter(({ state }) => isAliveState(state));
    return {
      pods: await Promise.all(pods.map(async (pod) => podMessage(sandboxes, pod))),
      containers: await Promise.all(alive.map(async (each) => containerMessage(containers.bundleOf(each.record.id).specFile, each))),
    };
  }

  async update(...args: Parameters<PluginHost['update']>): ReturnType<PluginHost['update']> {
    return this.#known().changes.update(...args);
  }

  async evict(evictions: Parameters<PluginHost['evict']>[0], plugin: string): Promise<void> {
    await this.#known().changes.evict(evictions.map((each) => ({ ...each, plugin })));
  }

  #known(): PluginsWorld {
    return this.#world ?? fail('Internal', 'plugins: the lifecycle is asked before it is attached');
  }
}
