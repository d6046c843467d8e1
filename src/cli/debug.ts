import { buffer } from 'node:stream/consumers';
import { PassThrough, type Writable } from 'node:stream';
import type { Command } from 'commander';
import type { StacksReport } from '../admin/debug-reports.ts';
import { AdminClient } from './admin-client.ts';
import { clientCommand, connect } from './client-command.ts';
import { adminSocketPath } from './config-options.ts';
import type { Options } from './config-options.ts';
import { jsonText } from './io.ts';
import type { CliIo } from './io.ts';
import { defaultFile, writePrivateFile } from './private-file.ts';
import { stacksText } from './stacks.ts';

/** How long a daemon may take to tell where it is, before the kernel is asked instead; and to send a snapshot, milliseconds. */
const STACKS_MS = 5_000;
const HEAP_MS = 300_000;
/** What a profile takes beside its own time, milliseconds. */
const PROFILE_MORE_MS = 30_000;
const SECONDS = '10';

/** `debug`: what a running daemon is doing. */
export function addDebug(podwright: Command, io: CliIo): void {
  const debug = podwright.command('debug').description('what a running daemon is doing, for reports of faults');
  clientCommand(debug, 'profile')
    .description('a CPU profile of the running daemon, for DevTools or VS Code (.cpuprofile)')
    .option('--seconds <N>', 'how long, at most 60', SECONDS)
    .option('-o, --output <FILE>', 'where to write it (default: podwright-profile-TIME.cpuprofile)')
    .action(async (options: Options) => {
      const seconds = text(options['seconds'], SECONDS);
      const limitMs = Number(seconds) * 1000 + PROFILE_MORE_MS;
      const query = new URLSearchParams({ seconds }).toString();
      const file = text(options['output'], defaultFile('profile', 'cpuprofile'));
      await download(options, `/v1/debug/profile?${query}`, Number.isFinite(limitMs) ? limitMs : PROFILE_MORE_MS, file, io);
    });
  clientCommand(debug, 'heap')
    .description('a snapshot of the heap of the running daemon, which stands still while it is taken (.heapsnapshot)')
    .option('-o, --output <FILE>', 'where to write it (default: podwright-heap-TIME.heapsnapshot)')
    .action(async (options: Options) => {
      await download(options, '/v1/debug/heap', HEAP_MS, text(options['output'], defaultFile('heap', 'heapsnapshot')), io);
    });
  clientCommand(debug, 'stacks')
    .description('where the daemon is now: work under way, threads and children with what they wait for in the kernel')
    .option('--json', 'print the whole report as JSON')
    .action(async (options: Options) => {
      const report = await takeStacks(await adminSocketPath(options));
      io.stdout.write(options['json'] === true ? jsonText(report) : stacksText(report));
    });
}

function text(value: Options[string], otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

async function download(options: Options, path: string, limitMs: number, file: string, io: CliIo): Promise<void> {
  const client = await connect(options, AbortSignal.timeout(limitMs));
  await writePrivateFile(file, async (target: Writable) => client.download('POST', path, target));
  io.stdout.write(`${file}\n`);
}

/** What the daemon tells or, where it does not, what the kernel does of its process. */
export async function takeStacks(socketPath: string): Promise<StacksReport> {
  const limit = AbortSignal.timeout(STACKS_MS);
  const client = new AdminClient(socketPath, limit);
  try {
    const target = new PassThrough();
    const [bytes] = await Promise.all([buffer(target), client.download('GET', '/v1/debug/stacks', target)]);
    return JSON.parse(bytes.toString()) as StacksReport;
  } catch (error) {
    if (!limit.aborted) throw error;
    const { stacksOfListener } = await import('../nodecheck/daemon-process.ts');
    const found = await stacksOfListener(socketPath);
    if (found === undefined) throw error;
    return { ...found, at: new Date().toISOString(), answered: false, resources: {}, operations: [] };
  }
}
