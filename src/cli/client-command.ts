import type { Command } from 'commander';
import { AdminClient } from './admin-client.ts';
import { CLIENT_FLAGS, addConfigOptions, adminSocketPath } from './config-options.ts';
import type { Options } from './config-options.ts';

/** Adds a command that asks the daemon, with the flags that say where that is. */
export function clientCommand(parent: Command, name: string): Command {
  return addConfigOptions(parent.command(name), CLIENT_FLAGS);
}

/**
 * A client of the daemon that a command's flags name.
 * @param signal ends what is asked of it
 */
export async function connect(options: Options, signal?: AbortSignal): Promise<AdminClient> {
  return new AdminClient(await adminSocketPath(options), signal);
}
