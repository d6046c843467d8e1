import { Option } from 'commander';
import type { Command } from 'commander';
import { CRI_CLIENT_FLAGS, addConfigOptions, textOption } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { HeldArgument } from './held-argument.ts';
import { jsonText, widthOf } from './io.ts';
import type { CliIo } from './io.ts';
import { SORT_KEYS } from './sort-keys.ts';

/**
 * The commands that show pods and containers to people. Each loads what it needs when it is run: gRPC alone takes longer to load
 * than everything else that the other commands have.
 */
export function addViews(podwright: Command, io: CliIo): void {
  addPs(podwright, io);
  addInspect(podwright, io);
  addEvents(podwright, io);
  addLogs(podwright, io);
  addExec(podwright, io);
  addTop(podwright, io);
}

function addPs(podwright: Command, io: CliIo): void {
  const ps = criCommand(podwright, 'ps').description('pods with their containers');
  ps.option('-a, --all', 'pods that are not ready too, and every attempt at a container');
  ps.option('--json', 'print all that is known of them as JSON');
  ps.action(async (options: Options) => {
    const [{ withCri }, { podViews, podsText }] = await Promise.all([import('./cri-session.ts'), import('./ps.ts')]);
    await withCri(options, async ({ runtime }) => {
      const pods = await podViews(runtime, options['all'] === true);
      io.stdout.write(options['json'] === true ? jsonText(pods) : podsText(pods, widthOf(io), Date.now()));
    });
  });
}

function addInspect(podwright: Command, io: CliIo): void {
  const inspect = criCommand(podwright, 'inspect').description('all that the daemon says of a pod or container, as JSON');
  inspect.addArgument(new HeldArgument('<OBJECT>', OBJECT_HELP, ['pod', 'container'])).action(async (words: string, options: Options) => {
    const [{ withCri }, { inspectionOf }] = await Promise.all([import('./cri-session.ts'), import('./inspect.ts')]);
    await withCri(options, async ({ runtime }) => {
      io.stdout.write(jsonText(await inspectionOf(runtime, words)));
    });
  });
}

function addEvents(podwright: Command, io: CliIo): void {
  const events = criCommand(podwright, 'events').description('what happens to pods and containers, from now on');
  events.option('--json', 'a line of JSON for each event').action(async (options: Options) => {
    const [{ withCri }, { printEvents }] = await Promise.all([import('./cri-session.ts'), import('./events.ts')]);
    await withCri(options, async ({ runtime }) => printEvents(runtime, options['json'] === true, io));
  });
}

function addLogs(podwright: Command, io: CliIo): void {
  const logs = criCommand(podwright, 'logs').description('what a container has written: its stdout on stdout, its stderr on stderr');
  logs.addArgument(new HeldArgument('<OBJECT>', OBJECT_HELP, ['container']));
  logs.option('-f, --follow', 'go on with what it writes, through rotations of the log, until it ends');
  logs.option('--tail <N>', 'the last N lines only');
  logs.option('--since <TIME>', 'only what came since then: a duration such as 90s or 1h30m, or a time such as 2026-01-31T10:00:00Z');
  logs.option('-t, --timestamps', 'each line with the time when it was written');
  logs.option('-p, --previous', 'of the attempt before the newest');
  logs.action(async (words: string, options: Options) => {
    const [{ withCri }, { printLog }, { lineCount, sinceMs }] = await Promise.all([
      import('./cri-session.ts'),
      import('./logs.ts'),
      import('./since.ts'),
    ]);
    const [tail, since] = [textOption(options, 'tail'), textOption(options, 'since')];
    const what = {
      follow: options['follow'] === true,
      tail: tail === undefined ? undefined : lineCount(tail),
      sinceMs: since === undefined ? undefined : sinceMs(since, Date.now()),
      timestamps: options['timestamps'] === true,
      previous: options['previous'] === true,
    };
    await withCri(options, async ({ runtime }) => printLog(runtime, words, what, io));
  });
}

function addExec(podwright: Command, io: CliIo): void {
  const exec = criCommand(podwright, 'exec').description('run a command in a container, and end with its exit code');
  exec.addArgument(new HeldArgument('<OBJECT>', OBJECT_HELP, ['container']));
  exec.addArgument(new HeldArgument('<COMMAND...>', 'the program and its arguments', ['command line']));
  exec.option('-i, --stdin', 'hand standard input on');
  exec.option('-t, --tty', 'give it a terminal');
  exec.option('--client-cert <FILE>', 'a certificate for the streaming server, PEM, where stream.tls_client_ca wants one');
  exec.option('--client-key <FILE>', 'its key, PEM');
  exec.passThroughOptions(); // what follows OBJECT is the command's
  exec.action(async (words: string, command: readonly string[], options: Options) => {
    const [{ withCri }, { execInContainer }, { clientCertificateOf }] = await Promise.all([
      import('./cri-session.ts'),
      import('./exec.ts'),
      import('./stream-tls.ts'),
    ]);
    const clientCertificate = clientCertificateOf(options['clientCert'], options['clientKey']);
    const how = { interactive: options['stdin'] === true, tty: options['tty'] === true, clientCertificate };
    let exitCode = 0;
    await withCri(options, async (cri, config) => {
      exitCode = await execInContainer(cri, config, words, command[0] === '--' ? command.slice(1) : command, how, io);
    });
    if (exitCode !== 0) throw new CliError(exitCode, '');
  });
}

function addTop(podwright: Command, io: CliIo): void {
  const top = criCommand(podwright, 'top').description('what pods and containers use, renewed until q or ctrl-C');
  top.option('--once', 'print it once');
  top.option('--json', 'as JSON: one object with --once, else a line each time');
  top.addOption(new Option('--interval <SECONDS>', 'how often it is renewed').default('5'));
  top.addOption(new Option('--sort <KEY>', 'what comes first').choices(SORT_KEYS).default('cpu'));
  top.action(async (options: Options) => {
    const seconds = Number(textOption(options, 'interval'));
    if (!(seconds >= 0.5 && seconds <= 3600)) throw new CliError(EXIT.usage, `--interval: must be 0.5 to 3600 seconds`);
    const [{ withCri }, { runTop }] = await Promise.all([import('./cri-session.ts'), import('./top.ts')]);
    const sort = SORT_KEYS.find((key) => key === options['sort']) ?? 'cpu';
    const how = { once: options['once'] === true, json: options['json'] === true, intervalMs: seconds * 1000, sort };
    await withCri(options, async ({ runtime }) => runTop(runtime, how, io));
  });
}

const OBJECT_HELP = 'an id or its beginning, a name, namespace/pod or namespace/pod/container';

function criCommand(parent: Command, name: string): Command {
  return addConfigOptions(parent.command(name), CRI_CLIENT_FLAGS);
}
