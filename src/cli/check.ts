import type { Command } from 'commander';
import type { Item } from '../admin/reports.ts';
import { AdminClient } from './admin-client.ts';
import { CLIENT_FLAGS, addConfigOptions, adminSocketPath } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { jsonText, table } from './io.ts';
import type { CliIo } from './io.ts';

/** `check`: whether something is wrong, with the node or with what the daemon has made on it. */
export function addCheck(podwright: Command, io: CliIo): void {
  const check = podwright.command('check').description('compare what the daemon keeps records of with what is there');
  addConfigOptions(check, CLIENT_FLAGS);
  check.option('--json', 'print the whole report as JSON');
  check.option('--leaks', 'look for mounts, namespaces, cgroups, processes, addresses and directories of ours that no record claims');
  check.option('--fix', 'with --leaks: remove them; what a record claims, or is being made, is not touched');
  check.action(async (options: Options) => {
    if (options['leaks'] !== true)
      throw new CliError(EXIT.usage, options['fix'] === true ? 'check: --fix is for --leaks' : 'check: give --leaks');
    const client = new AdminClient(await adminSocketPath(options));
    await (options['fix'] === true ? fixLeaks(client, options, io) : findLeaks(client, options, io));
  });
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
