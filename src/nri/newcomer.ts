import type { Plugin, PluginOptions } from './plugin.ts';

/** How a plugin comes: its connection, and what is known of it before it says anything. */
export interface Newcomer extends Pick<PluginOptions, 'stream' | 'kind' | 'identity' | 'pid'> {
  /** What its configuration file says; empty: there is none. */
  readonly configuration: string;
}

export interface Taken {
  readonly plugin: Plugin;
  /** Resolves when the plugin is ready, or gone. */
  readonly joined: Promise<void>;
}
