import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { VERSION } from '../base/version.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { loadConfig } from '../config/load.ts';
import { AdminClient } from './admin-client.ts';
import { addConfigOptions, configSources, orConfigError } from './config-options.ts';
import type { Options } from './config-options.ts';
import { takeStacks } from './debug.ts';
import { sizeText, table } from './io.ts';
import type { CliIo } from './io.ts';
import { defaultFile, writePrivateFile } from './private-file.ts';

/** How long the daemon may take for one answer, milliseconds. */
const ANSWER_MS = 8_000;

/** `debug-bundle`: everything that a report of a fault needs, in one file; with a daemon that hangs or is gone too. */
export function addDebugBundle(podwright: Command, io: CliIo): void {
  const command = podwright.command('debug-bundle').description('collect what a report of a fault needs in one archive, without secrets');
  addConfigOptions(command)
    .option('-o, --output <FILE>', 'where to write it (default: podwright-debug-TIME.tar.gz)')
    .action(async (options: Options) => {
      const { config, files } = await orConfigError(loadConfig(configSources(options)));
      const socket = new DiskLayout(config).adminSocket;
      const { makeBundle } = await import('../debugbundle/make-bundle.ts');
      const { listenerOf } = await import('../nodecheck/daemon-process.ts');
      const client = (): AdminClient => new AdminClient(socket, AbortSignal.timeout(ANSWER_MS));
      const rows: string[][] = [];
      const daemon = {
        status: async () => client().status(),
        leaks: async () => client().leaks(),
        stacks: async () => takeStacks(socket),
        metrics: async () => {
          const target = new PassThrough();
          const [found] = await Promise.all([text(target), client().download('GET', '/metrics', target)]);
          return found;
        },
      };
      const context = { config, configFiles: files, daemon, daemonPid: async () => listenerOf(socket), version: VERSION };
      const bundle = await makeBundle(context, ({ file, bytes, fault }) => rows.push([file, sizeText(bytes), fault ?? '']));
      const output = options['output'];
      const file = typeof output === 'string' ? output : defaultFile('debug', 'tar.gz');
      await writePrivateFile(file, async (target) => {
        await new Promise<void>((resolve, reject) => {
          target.once('error', reject);
          target.end(bundle, resolve);
        });
      });
      io.stdout.write(`${table(rows)}\n${file}: ${sizeText(bundle.length)}; look through it before you show it to others\n`);
    });
}
