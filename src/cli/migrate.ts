import { access, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { isSystemError, messageOf } from '../base/errors.ts';
import type { Migration } from '../migrate/migrate.ts';
import type { Peer } from '../migrate/migrate.ts';
import type { SideFile } from '../migrate/report.ts';
import { orConfigError, textOption } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { jsonText } from './io.ts';
import type { CliIo } from './io.ts';
import { reportText } from './migrate-report.ts';

/** `config migrate`: our configuration for a node that has CRI-O's or containerd's. */
export function addMigrate(config: Command, io: CliIo): void {
  const command = config
    .command('migrate')
    .description("make this daemon's configuration of CRI-O's or containerd's, and say of each key what became of it (docs/moving.md)");
  command.addOption(new Option('--from <RUNTIME>', 'whose configuration (default: whose is there)').choices(['crio', 'containerd']));
  command.option('--file <FILE>', 'its file (default: /etc/crio/crio.conf, /etc/containerd/config.toml)');
  command.option('--dir <DIR>', "CRI-O's drop-ins (default: /etc/crio/crio.conf.d)");
  command.option(
    '-o, --output <FILE>',
    'where to write ours; the report is then on standard output (default: ours on standard output, the report on standard error)',
  );
  command.option('--registry-dir <DIR>', 'where to write hosts.toml and auth.json of what containerd has in its own file');
  command.option('--force', 'replace files that are there');
  command.option('--json', 'the report as JSON');
  command.action(async (options: Options) => {
    const migration = await migrated(options);
    const output = textOption(options, 'output');
    await writeFiles(migration, output === undefined ? undefined : resolve(output), options['force'] === true);
    const report = options['json'] === true ? jsonText({ files: migration.files, keys: migration.lines }) : reportText(migration);
    if (output === undefined) io.stdout.write(migration.toml);
    (output === undefined ? io.stderr : io.stdout).write(report);
    const { losesSomething } = await import('../migrate/migrate.ts');
    if (losesSomething(migration))
      throw new CliError(EXIT.found, 'config migrate: not everything could be carried: see the lines "lost" and "unknown"');
  });
}

async function migrated(options: Options): Promise<Migration> {
  const { migrate } = await import('../migrate/migrate.ts');
  return migrate(await orConfigError(readPeer(options)));
}

async function readPeer(options: Options): Promise<Peer> {
  const [{ readCrio, CRIO_FILE, CRIO_DIRECTORY }, { readContainerd, CONTAINERD_FILE }] = await Promise.all([
    import('../migrate/crio.ts'),
    import('../migrate/containerd.ts'),
  ]);
  const [file, directory, registryDirectory] = ['file', 'dir', 'registryDir'].map((name) => textOption(options, name));
  const from =
    textOption(options, 'from') ?? (await whoseIsThere({ crio: [CRIO_FILE, CRIO_DIRECTORY], containerd: [CONTAINERD_FILE] }, file));
  if (from === 'containerd') {
    if (directory !== undefined)
      throw new CliError(EXIT.usage, 'config migrate: --dir is for CRI-O; containerd names its other files by imports');
    return readContainerd(resolve(file ?? CONTAINERD_FILE), registryDirectory === undefined ? undefined : resolve(registryDirectory));
  }
  if (registryDirectory !== undefined)
    throw new CliError(EXIT.usage, 'config migrate: --registry-dir is for containerd; what CRI-O has for registries is read where it is');
  // A file that is named is meant alone, unless a directory is named too.
  const dropIns = directory ?? (file === undefined ? CRIO_DIRECTORY : undefined);
  const peer = await readCrio(resolve(file ?? CRIO_FILE), dropIns === undefined ? undefined : resolve(dropIns), file !== undefined);
  if (peer.files.length === 0)
    throw new CliError(EXIT.failed, `config migrate: neither ${CRIO_FILE} nor a file in ${dropIns ?? CRIO_DIRECTORY} is there`);
  return peer;
}

async function whoseIsThere(places: Readonly<Record<string, readonly string[]>>, file: string | undefined): Promise<string> {
  if (file !== undefined) throw new CliError(EXIT.usage, 'config migrate: --file needs --from crio or --from containerd');
  const there: string[] = [];
  for (const [name, paths] of Object.entries(places)) if ((await Promise.all(paths.map(isThere))).includes(true)) there.push(name);
  const [only, ...more] = there;
  if (only === undefined)
    throw new CliError(
      EXIT.failed,
      `config migrate: none of ${Object.values(places).flat().join(', ')} is there: name one by --from and --file`,
    );
  if (more.length > 0)
    throw new CliError(EXIT.usage, 'config migrate: this node has a configuration of CRI-O and one of containerd: say which by --from');
  return only;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Nothing is written where one of the files may not be replaced. The configuration comes last: it names the others. */
async function writeFiles({ toml, sideFiles }: Migration, output: string | undefined, isForced: boolean): Promise<void> {
  const files: readonly SideFile[] = [...sideFiles, ...(output === undefined ? [] : [{ path: output, text: toml, isPrivate: false }])];
  const there: string[] = [];
  for (const { path } of files) if (!isForced && (await isThere(path))) there.push(path);
  if (there.length > 0) throw new CliError(EXIT.failed, `config migrate: ${there.join(', ')}: is there already; --force replaces it`);
  for (const { path, text, isPrivate } of files) {
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFileAtomic(path, text, { mode: isPrivate ? 0o600 : 0o644 });
    } catch (error) {
      throw isSystemError(error) ? new CliError(EXIT.failed, `config migrate: ${messageOf(error)}`, { cause: error }) : error;
    }
  }
}
