import type { Container, ContainerEviction, ContainerUpdate, PodSandbox } from '../../api/nri/messages.ts';

/** What plugins see of the node, and may do to it outside of any event. */
export interface PluginHost {
  /** All pods and containers that plugins are to know of. Called while no window is open; takes no lock, since windows wait for it under theirs. */
  snapshot(): Promise<{ readonly pods: readonly PodSandbox[]; readonly containers: readonly Container[] }>;
  /**
   * Applies what a plugin wants. Called outside of any event and of every window, one call of a plugin at a time.
   * @param plugin `INDEX-NAME`
   * @returns those that failed.
   */
  update(updates: readonly ContainerUpdate[], plugin: string): Promise<ContainerUpdate[]>;
  /** Stops containers that a plugin wants to go. */
  evict(evictions: readonly ContainerEviction[], plugin: string): Promise<void>;
}
