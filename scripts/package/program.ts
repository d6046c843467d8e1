/** What lies in /usr/lib/podwright: the bundle, what starts it, Node, and the one package that cannot be bundled. */
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { copy, ensureDir, readJson, remove } from 'fs-extra/esm';
import { bundle } from '../build.ts';
import { ARCHITECTURES, ownArchitecture, type Architecture } from './architecture.ts';
import { thirdPartyLicences } from './licences.ts';
import { fetchedPackage, installedPackage, isInstalled } from './locked.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

/** Of koffi what is loaded at run time; the rest is its sources and its manual. */
const KOFFI_FILES = [
  'package.json', 'index.js', 'index.cjs', 'src/koffi/index.js', 'src/koffi/index.cjs', 'src/koffi/src/static.js', 'src/koffi/src/static.cjs',
]; // prettier-ignore

export interface ProgramChoices {
  /** What it says that it is, in place of src/base/version.ts. */
  readonly version?: string | undefined;
  /** The machine that it runs on. @default this one's */
  readonly architecture?: Architecture;
}

/**
 * Copies and builds the program into a directory, which is made. Symbols that only a debugger reads are left out, and source maps.
 * What of Node and koffi is for another machine than this one is fetched.
 * @throws where what is installed or fetched is not what the lockfile names.
 */
export async function stageProgram(directory: string, choices: ProgramChoices = {}): Promise<void> {
  const { version, architecture = ownArchitecture() } = choices;
  const { node: machine, gnu } = ARCHITECTURES[architecture];
  const fetched = `${directory}-fetched`;
  const isOwn = machine === process.arch;
  const sourceOf = async (name: string): Promise<string> =>
    isOwn && (await isInstalled(name)) ? installedPackage(name) : fetchedPackage(name, fetched);
  const [node, native, koffi] = [`node-linux-${machine}`, `@koromix/koffi-linux-${machine}`, 'koffi'];
  const modules = join(directory, 'node_modules');
  const inputs = await bundle(join(directory, 'dist'), { hasSourceMaps: false, version });
  const { name, type, license } = (await readJson(join(REPOSITORY, 'package.json'))) as Record<string, string>;
  await writeFile(join(directory, 'package.json'), `${JSON.stringify({ name, ...(version && { version }), type, license }, null, 2)}\n`);
  await copy(join(REPOSITORY, 'bin'), join(directory, 'bin'));
  try {
    const [nodeSource, nativeSource, koffiSource] = [await sourceOf(node), await sourceOf(native), await installedPackage(koffi)];
    await copyFiles(koffiSource, join(modules, koffi), KOFFI_FILES);
    await copyFiles(nativeSource, join(modules, native), ['package.json', 'index.js']);
    await stripped(`${gnu}-strip`, join(nativeSource, `linux_${machine}/koffi.node`), join(modules, native, `linux_${machine}/koffi.node`));
    await copyFiles(nodeSource, join(modules, node), ['package.json']);
    await stripped(`${gnu}-strip`, join(nodeSource, 'bin/node'), join(modules, node, 'bin/node'));
    await mkdir(join(modules, '.bin'));
    // bin/podwright looks for it there.
    await symlink(`../${node}/bin/node`, join(modules, '.bin/node'));
    await writeFile(join(directory, 'THIRD-PARTY-LICENCES'), await thirdPartyLicences(REPOSITORY, inputs, [nodeSource, koffiSource]));
  } finally {
    await remove(fetched);
  }
}

async function copyFiles(from: string, to: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await ensureDir(dirname(join(to, file)));
    await copyFile(join(from, file), join(to, file));
  }
}

/** A fifth of Node are symbols; those that native parts are linked to are others, and stay. */
async function stripped(strip: string, from: string, to: string): Promise<void> {
  await ensureDir(dirname(to));
  await execa(strip, ['--strip-unneeded', '-o', to, from]);
  await chmod(to, to.endsWith('.node') ? 0o644 : 0o755); // a library, which nobody runs
}
