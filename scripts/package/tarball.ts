/** The tarball, for nodes without dpkg: the program, with what else the package installs below `node/` as from the root of a file system. */
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, remove } from 'fs-extra/esm';
import { layExtras } from './extras.ts';
import { layManual } from './manual.ts';
import type { Made, Making } from './release.ts';
import { settle } from './settle.ts';

/** tar's option, and what the name of the file ends with. */
const COMPRESSION = {
  xz: { option: '--use-compress-program=xz -9 -T1', ending: 'tar.xz' },
  zstd: { option: '--use-compress-program=zstd -3 -T1', ending: 'tar.zst' },
  none: { option: '--no-auto-compress', ending: 'tar' },
} as const;

/** @throws with the words of tar, where that fails. */
export async function makeTarball({ release, program, work, out }: Making): Promise<Made> {
  await remove(work);
  await ensureDir(work);
  const name = `podwright-${release.version}`;
  await execa('cp', ['-al', program, join(work, name)]);
  await layExtras(join(work, name, 'node'));
  await layManual(program, join(work, name, 'node'));
  const installedBytes = await settle(join(work, name), release.time);
  const { option, ending } = COMPRESSION[release.compression];
  const file = join(out, `${name}-linux-${release.architecture}.${ending}`);
  const plain = ['--sort=name', '--format=gnu', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${release.time}`];
  await execa('tar', ['--create', ...plain, option, '--file', file, '--directory', work, name], { env: { LC_ALL: 'C' } });
  return { file, installedBytes };
}
