/** The root file system of a machine of arm64, made on x86-64: what is no program of the new root runs here, which is ten times as fast. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { runProgram } from './programs.ts';

const IN_ARM64 = join(import.meta.dirname, 'in-arm64.sh');

/** Without questions, and without an initramfs for each package that wants a new one. */
const QUIETLY = ['DEBIAN_FRONTEND=noninteractive', 'INITRD=No'];

/** Installs packages, and those that a Debian cannot be without, into a new directory. Root. */
export async function bootstrapArm64(tree: string, packages: readonly string[], suite: string, mirror: string): Promise<void> {
  const foreign = ['--arch=arm64', '--foreign', '--variant=minbase', `--include=${packages.join(',')}`];
  await runProgram('debootstrap', [...foreign, suite, tree, mirror], { timeoutMs: 25 * 60_000 });
  const archives = join(tree, 'var/cache/apt/archives');
  const debs = (await readdir(archives)).filter((name) => name.endsWith('.deb')).map((name) => join(archives, name));
  // Its own second stage reads the list of all of Debian with emulated programs.
  const unpack = ['--force-architecture', '--force-depends', '--force-unsafe-io', '--unpack', ...debs];
  await inArm64('/', 30, ['dpkg', `--root=${tree}`, ...unpack]);
  // Of devices that the machine has not; the database that udev makes of it takes minutes.
  await remove(join(tree, 'usr/lib/udev/hwdb.d'));
  await inArm64(tree, 90, ['dpkg', '--force-unsafe-io', '--configure', '-a']);
}

export async function makeInitrdArm64(tree: string): Promise<void> {
  const [version] = (await readdir(join(tree, 'lib/modules'))).sort();
  if (version === undefined) throw new Error(`${tree} has no kernel, must have one`);
  await inArm64(tree, 30, ['update-initramfs', '-c', '-k', version]);
}

async function inArm64(root: string, minutes: number, command: readonly string[]): Promise<void> {
  await runProgram(IN_ARM64, [root, ...QUIETLY, ...command], { timeoutMs: minutes * 60_000 });
}
