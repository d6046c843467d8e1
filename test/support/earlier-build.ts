/** The daemon as it was at an earlier commit, for upgrades and the way back under running containers. */
import { mkdtemp, rename, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';

const REPOSITORY = join(import.meta.dirname, '../..');
/** 25 November 2026, the last whose containers have their process in their spec alone, and without NRI. */
const COMMIT = '337b7c94ecf1517caf47ca253f70a91f547f7976';
/** Flags that TestDaemon gives and that it does not know, each with a value. */
const UNKNOWN_FLAGS = ['--nri-listen'];
/** It hands its daemon what that knows. */
const ENTRY = `const unknown = ${JSON.stringify(UNKNOWN_FLAGS)};
process.argv = process.argv.filter((word, index, words) => !unknown.includes(word) && !unknown.includes(words[index - 1]));
await import('./earlier.js');
`;

export interface EarlierBuild {
  /** For TestDaemon.start. */
  readonly env: Readonly<Record<string, string>>;
  readonly remove: () => Promise<void>;
}

/** Why it cannot be built; false where it can. */
export const noEarlierBuild: string | false = await execa('git', ['cat-file', '-e', `${COMMIT}^{commit}`], { cwd: REPOSITORY }).then(
  () => false as const,
  () => `commit ${COMMIT.slice(0, 12)}, whose build is needed, is not in this clone`,
);

/** Builds it by its own script, of this clone's modules. Takes seconds. */
export async function earlierBuild(): Promise<EarlierBuild> {
  const directory = await mkdtemp(join(tmpdir(), 'podwright-earlier-'));
  try {
    const archive = join(directory, 'source.tar');
    await execa('git', ['archive', '-o', archive, COMMIT, 'src', 'api', 'scripts', 'package.json'], { cwd: REPOSITORY });
    await execa('tar', ['-xf', archive, '-C', directory]);
    await symlink(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
    await execa(process.execPath, [join(directory, 'scripts/build.ts')], { cwd: directory });
    const dist = join(directory, 'dist');
    await rename(join(dist, 'podwright.js'), join(dist, 'earlier.js'));
    await writeFile(join(dist, 'podwright.js'), ENTRY);
    return { env: { PODWRIGHT_DIST: dist }, remove: () => remove(directory) };
  } catch (error) {
    await remove(directory);
    throw error;
  }
}
