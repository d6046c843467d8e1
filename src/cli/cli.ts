import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { defaultSettings } from '../config/overlay.ts';
import { printToml } from '../config/print.ts';
import { addCheck } from './check.ts';
import { addDebug } from './debug.ts';
import { addDebugBundle } from './debug-bundle.ts';
import { clientCommand, connect } from './client-command.ts';
import { addCompletion } from './completion-commands.ts';
import { addConfigOptions, configSources, orConfigError } from './config-options.ts';
import type { Options } from './config-options.ts';
import { addExplain } from './explain.ts';
import { addImage } from './image-commands.ts';
import { jsonText } from './io.ts';
import type { CliIo } from './io.ts';
import { addMan } from './man.ts';
import { addMigrate } from './migrate.ts';
import { addServe, newProgram, runProgram, versionText } from './program.ts';
import type { CliHost } from './program.ts';
import { addRuntimeClass } from './runtimeclass.ts';
import { statusText } from './status.ts';
import { addViews } from './views.ts';

/**
 * Runs one command of `podwright`.
 * @param args the words after the program's name
 * @returns the exit code, see exit-codes.ts
 */
export async function runCli(args: readonly string[], host: CliHost, io: CliIo): Promise<number> {
  return runProgram(program(host, io), args, io);
}

function program(host: CliHost, io: CliIo): Command {
  const podwright = newProgram(io);
  addServe(podwright, host);
  addConfig(podwright, io);
  addVersion(podwright, io);
  addStatus(podwright, io);
  addCheck(podwright, io);
  addRuntimeClass(podwright, io);
  addDebug(podwright, io);
  addDebugBundle(podwright, io);
  addImage(podwright, io);
  addViews(podwright, io);
  addExplain(podwright, io);
  addCompletion(podwright, io);
  addMan(podwright, io);
  return podwright;
}

function addConfig(podwright: Command, io: CliIo): void {
  const config = podwright.command('config').description('check the configuration and print it, every key documented');
  config.option('--default', 'print the defaults, whatever the files say');
  addConfigOptions(config).action(async (options: Options) => {
    const sources = configSources(options);
    const settings = options['default'] === true ? defaultSettings() : (await orConfigError(loadConfig(sources))).config;
    io.stdout.write(printToml(settings));
  });
  addMigrate(config, io);
}

function addVersion(podwright: Command, io: CliIo): void {
  podwright
    .command('version')
    .description('print the version')
    .action(() => {
      io.stdout.write(`${versionText()}\n`);
    });
}

function addStatus(podwright: Command, io: CliIo): void {
  const status = clientCommand(podwright, 'status').description('how the running daemon is: versions, conditions, counts, unfinished work');
  status.option('--json', 'print the whole report as JSON').action(async (options: Options) => {
    const report = await (await connect(options)).status();
    io.stdout.write(options['json'] === true ? jsonText(report) : statusText(report));
  });
}
