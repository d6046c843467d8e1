import type { Command } from 'commander';
import type { Item } from '../admin/reports.ts';
import { messageOf } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { loadConfig } from '../config/load.ts';
import type { DaemonFacts } from '../nodecheck/daemon.ts';
import { AdminClient } from './admin-client.ts';
import { findingsText } from './check-report.ts';
import { connect } from './client-command.ts';
import { addConfigOptions, configSources, orConfigError } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { jsonText, table } from './io.ts';
import type { CliIo } from './io.ts';

/** How long the daemon may take to say how it is, milliseconds. */
const STATUS_MS = 5_000;

/** `check`: whether something is wrong, with the node or with what the daemon has made on it. */
export function addCheck(podwright: Command, io: CliIo): void {
  const check = podwright
    .command('check')
    .description('whether this node is ready, with a running daemon or without; with --leaks: what the daemon has left on it');
  addConfigOptions(check);
  check.option('--json', 'print the whole report as JSON');
  check.option('--offline', 'ask no registry');
  check.option('--leaks', 'look for mounts, namespaces, cgroups, processes, addresses and directories of ours that no record claims');
  check.option('--fix', 'with --leaks: remove them; what a record claims, or is being made, is not touched');
  check.action(async (options: Options) => {
    if (options['leaks'] !== true) {
      if (options['fix'] === true) throw new CliError(EXIT.usage, 'check: --fix is for --leaks');
      await checkThisNode(options, io);
      return;
    }
    const client = await connect(options);
    await (options['fix'] === true ? fixLeaks(client, options, io) : findLeaks(client, options, io));
  });
}

async function checkThisNode(options: Options, io: CliIo): Promise<void> {
  const { config } = await orConfigError(loadConfig(configSources(options)));
  const { checkNode } = await import('../nodecheck/check-node.ts');
  const daemon = daemonFacts(new DiskLayout(config).adminSocket);
  const findings = await checkNode({ config, daemon, version: VERSION, isOffline: options['offline'] === true });
  const { columns } = io.stdout as { readonly columns?: number };
  io.stdout.write(options['json'] === true ? jsonText(findings) : findingsText(findings, io.stdout.isTTY === true ? columns : undefined));
  const errors = findings.filter(({ level }) => level === 'error').length;
  if (errors > 0)
    throw new CliError(EXIT.found, `check: ${errors} ${errors === 1 ? 'thing is' : 'things are'} wrong: this node is not ready`);
}

async function daemonFacts(socket: string): Promise<DaemonFacts> {
  try {
    const status = await new AdminClient(socket, AbortSignal.timeout(STATUS_MS)).status();
    const { openFilesOf } = await import('../nodecheck/daemon-process.ts');
    return { is: 'running', status, openFilesLimit: await openFilesOf(status.pid) };
  } catch (error) {
    return error instanceof CliError && error.exitCode === EXIT.noDaemon ? { is: 'absent' } : { is: 'silent', words: messageOf(error) };
  }
}

async function findLeaks(client: AdminClient, options: Options, io: CliIo): Promise<void> {
  const report = await client.leaks();
  const { leaked, missing } = report;
  io.stdout.write(options['json'] === true ? jsonText(report) : table([...rows('leaked', leaked), ...rows('missing', missing)]));
  if (leaked.length + missing.length > 0) throw new CliError(EXIT.found, `check: ${leaked.length} leaked, ${missing.length} missing`);
}

/** Succeeds where nothing is wrong any more. */
async function fixLeaks(client: AdminClient, options: Options, io: CliIo): Promise<void> {
  const report = await client.fixLeaks();
  const { removed, kept, missing } = report;
  const all = [...rows('removed', removed), ...rows('kept', kept), ...rows('missing', missing)];
  io.stdout.write(options['json'] === true ? jsonText(report) : table(all));
  if (kept.length + missing.length === 0) return;
  throw new CliError(EXIT.found, `check: ${removed.length} removed, ${kept.length} not removed, ${missing.length} missing`);
}

function rows(what: string, items: readonly (Item & { readonly error?: string })[]): string[][] {
  return items.map(({ kind, name, error }) => [what, kind, name, ...(error === undefined ? [] : [error])]);
}
