import { Command, CommanderError } from 'commander';
import { messageOf } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { LiveConfig } from '../config/live-config.ts';
import { addConfigOptions, configSources, orConfigError } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { shownLines } from './io.ts';
import type { CliIo } from './io.ts';

/** What the command line cannot do by itself. */
export interface CliHost {
  /** Runs the daemon until it has stopped. */
  serve(config: LiveConfig): Promise<void>;
}

/** Runs `podwright serve`, with nothing of the other commands: the daemon would keep it in memory. @returns the exit code, see {@link EXIT} */
export async function runServe(args: readonly string[], host: CliHost, io: CliIo): Promise<number> {
  const podwright = newProgram(io);
  addServe(podwright, host);
  return runProgram(podwright, args, io);
}

/** @returns the exit code, see {@link EXIT} */
export async function runProgram(podwright: Command, args: readonly string[], io: CliIo): Promise<number> {
  try {
    await podwright.parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // commander has printed it
    if (error instanceof CliError && error.message === '') return error.exitCode; // the command has said all itself
    io.stderr.write(shownLines(`podwright: ${messageOf(error)}`));
    return error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}

/** `podwright` without a command yet. */
export function newProgram(io: CliIo): Command {
  return new Command('podwright')
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
}

export function addServe(podwright: Command, host: CliHost): void {
  const serve = podwright.command('serve').description('run the daemon');
  addConfigOptions(serve).action(async (options: Options) => {
    await host.serve(await orConfigError(LiveConfig.load(configSources(options))));
  });
}

export function versionText(): string {
  return `podwright ${VERSION} (Node ${process.versions.node})`;
}
