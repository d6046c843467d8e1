import type { Command } from 'commander';
import { CRI_CLIENT_FLAGS, addConfigOptions } from './config-options.ts';
import type { Options } from './config-options.ts';
import { widthOf } from './io.ts';
import type { CliIo } from './io.ts';

/**
 * The commands that show pods and containers to people. Each loads what it needs when it is run: gRPC alone takes longer to load
 * than everything else that the other commands have.
 */
export function addViews(podwright: Command, io: CliIo): void {
  addPs(podwright, io);
  addInspect(podwright, io);
  addEvents(podwright, io);
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
  inspect.argument('<OBJECT>', OBJECT_HELP).action(async (words: string, options: Options) => {
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

const OBJECT_HELP = 'an id or its beginning, a name, namespace/pod or namespace/pod/container';

function criCommand(parent: Command, name: string): Command {
  return addConfigOptions(parent.command(name), CRI_CLIENT_FLAGS);
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
