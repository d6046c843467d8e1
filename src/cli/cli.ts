import { Command, CommanderError } from 'commander';
import { VERSION } from '../base/version.ts';
import { messageOf } from '../base/errors.ts';
import { LiveConfig } from '../config/live-config.ts';
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
import { CliError, EXIT } from './exit-codes.ts';
import { addImage } from './image-commands.ts';
import { jsonText, shownLines } from './io.ts';
import type { CliIo } from './io.ts';
import { addMan } from './man.ts';
import { addMigrate } from './migrate.ts';
import { addRuntimeClass } from './runtimeclass.ts';
import { statusText } from './status.ts';
import { addViews } from './views.ts';

/** What the command line cannot do by itself. */
export interface CliHost {
  /** Runs the daemon until it has stopped. */
  serve(config: LiveConfig): Promise<void>;
}

/**
 * Runs one command of `podwright`.
 * @param args the words after the program's name
 * @returns the exit code, see {@link EXIT}
 */
export async function runCli(args: readonly string[], host: CliHost, io: CliIo): Promise<number> {
  try {
    await program(host, io).parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // commander has printed it
    if (error instanceof CliError && error.message === '') return error.exitCode; // the command has said all itself
    io.stderr.write(shownLines(`podwright: ${messageOf(error)}`));
    return error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}

function program(host: CliHost, io: CliIo): Command {
  const podwright = new Command('podwright')
    .description('A Kubernetes container runtime: serves the CRI to the kubelet.')
    .version(versionText(), '-V, --version', 'print the version')
    .showHelpAfterError('(podwright --help shows what there is)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong command line, 3 wrong configuration, 4 no daemon answers, 5 check, verify or runtimeclass found something, or migrate lost something.',
    )
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .enablePositionalOptions() // those of `exec` end where its command begins
    .exitOverride();
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

function addServe(podwright: Command, host: CliHost): void {
  const serve = podwright.command('serve').description('run the daemon');
  addConfigOptions(serve).action(async (options: Options) => {
    await host.serve(await orConfigError(LiveConfig.load(configSources(options))));
  });
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

function versionText(): string {
  return `podwright ${VERSION} (Node ${process.versions.node})`;
}
