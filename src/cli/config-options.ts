import { Option } from 'commander';
import type { Command } from 'commander';
import { messageOf } from '../base/errors.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { configFlags } from '../config/flags.ts';
import type { ConfigFlag } from '../config/flags.ts';
import { DEFAULT_CONFIG_DIRECTORY, DEFAULT_CONFIG_FILE, loadConfig } from '../config/load.ts';
import type { ConfigSources } from '../config/load.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** What commander made of a command's flags, by the flag's name in camelCase. */
export type Options = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

/** Gives a command the flags that say where the configuration is, and those of `flags` that set its keys. */
export function addConfigOptions(command: Command, flags: readonly ConfigFlag[] = configFlags()): Command {
  command.option('--config <FILE>', `the configuration file (default: ${DEFAULT_CONFIG_FILE}, may be missing)`);
  command.option('--config-dir <DIR>', `its drop-ins, *.toml and *.conf (default: ${DEFAULT_CONFIG_DIRECTORY}, may be missing)`);
  for (const flag of flags) {
    const option = new Option(flag.usage, flag.repeatable === true ? `${flag.doc} Repeatable.` : flag.doc);
    if (flag.repeatable === true) option.argParser((value, before: readonly string[] | undefined) => [...(before ?? []), value]);
    command.addOption(option);
  }
  return command;
}

/** Where the configuration comes from, by the flags given. */
export function configSources(options: Options): ConfigSources {
  const flags = configFlags().flatMap((flag) => {
    const given = options[new Option(flag.usage).attributeName()];
    if (given === undefined || typeof given === 'boolean') return [];
    try {
      return [flag.setting(typeof given === 'string' ? [given] : given)];
    } catch (error) {
      throw new CliError(EXIT.usage, messageOf(error), { cause: error });
    }
  });
  return { file: textOption(options, 'config'), directory: textOption(options, 'configDir'), flags };
}

/** The flags that a client of the daemon needs: where the daemon's sockets are. */
export const CLIENT_FLAGS = configFlags().filter((flag) => flag.name === '--run-dir');

/** The same for a client of the CRI. */
export const CRI_CLIENT_FLAGS = configFlags().filter((flag) => flag.name === '--run-dir' || flag.name === '--listen');

/** The admin socket of the daemon that has this configuration. */
export async function adminSocketPath(options: Options): Promise<string> {
  const { config } = await orConfigError(loadConfig(configSources(options)));
  return new DiskLayout(config).adminSocket;
}

/** Ends the command with the exit code of a wrong configuration where the loading fails. */
export async function orConfigError<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(EXIT.config, `configuration: ${messageOf(error)}`, { cause: error });
  }
}

/** The value of a flag that has one. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
