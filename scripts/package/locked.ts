/** The packages of npm that go into a release, each as a lockfile names it by its digest. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';

const REPOSITORY = join(import.meta.dirname, '../..');
const LOCKFILE = 'package-lock.json';
/**
 * Node for other machines. It cannot be in package-lock.json: of two packages with a program of one name npm 9, which Debian 12 and 13 have,
 * links neither, since it takes the link away again with the one that is not for this machine.
 */
const OTHER_MACHINES = 'scripts/package/other-machines-lock.json';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
}

/** Whether `npm ci` installs a package, where it is for this machine. */
export async function isInstalled(name: string): Promise<boolean> {
  return (await entryOf(LOCKFILE, `node_modules/${name}`)) !== undefined;
}

/**
 * Where a package lies that `npm ci` has installed. npm has checked the digests of what it has installed, and notes them.
 * @throws where that is not what the lockfile names.
 */
export async function installedPackage(name: string): Promise<string> {
  const path = `node_modules/${name}`;
  const { integrity } = await lockedPackage(name);
  const installed = (await entryOf('node_modules/.package-lock.json', path))?.integrity;
  if (installed !== integrity)
    throw new Error(`${path} is not what package-lock.json names (${installed ?? 'nothing'}, must be ${integrity}): run npm ci`);
  return join(REPOSITORY, path);
}

/**
 * Fetches a package that `npm ci` leaves out because it is for another machine, from npm's cache or its registry, into a directory
 * below `work`. @throws where it has not the digest that the lockfile has.
 */
export async function fetchedPackage(name: string, work: string): Promise<string> {
  const { version, integrity } = await lockedPackage(name);
  await ensureDir(work);
  const directory = await mkdtemp(join(work, 'npm-'));
  const pack = ['pack', `${name}@${version}`, '--prefer-offline', '--ignore-scripts', '--loglevel=error', '--pack-destination', directory];
  const { stdout } = await execa('npm', pack, { cwd: directory });
  const archive = join(directory, stdout.trim());
  const digest = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (digest !== integrity)
    throw new Error(`${name} ${version} as npm has fetched it is ${digest}, must be ${integrity}, as the lockfile has it`);
  await execa('tar', ['--extract', '--gzip', '--no-same-owner', '--file', archive, '--directory', directory]);
  return join(directory, 'package'); // what every package of npm is called in its archive
}

async function lockedPackage(name: string): Promise<Required<Locked>> {
  const path = `node_modules/${name}`;
  const { version, integrity } = (await entryOf(LOCKFILE, path)) ?? (await entryOf(OTHER_MACHINES, path)) ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`no lockfile has a digest of ${name}, one must have it`);
  return { version, integrity };
}

async function entryOf(file: string, path: string): Promise<Locked | undefined> {
  const { packages } = JSON.parse(await readFile(join(REPOSITORY, file), 'utf8')) as {
    packages: Readonly<Record<string, Locked | undefined>>;
  };
  return packages[path];
}
