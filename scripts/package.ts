/**
 * Makes what a node is installed from: a Debian package and a tarball, both with a Node of their own, the bundle and koffi's
 * native part. x86-64 alone. Wants what `npm ci` installs, and dpkg-deb, strip, tar and xz; no network.
 *
 *     npm run package [-- --out DIR] [--version VERSION] [--compression xz|zstd|none] [--only deb|tarball]
 *
 * `DIR` is release/ where nothing is said. `VERSION` is for builds of one's own; the program and the package then say that. Fast compression is for
 * tests. The same sources give the same bytes, whenever, wherever and by whomever they are built: the time of all files is
 * $SOURCE_DATE_EPOCH, or that of the commit. The maintainer is $DEBFULLNAME <$DEBEMAIL>, where those are set.
 */
import { mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { ensureDir, remove } from 'fs-extra/esm';
import { VERSION } from '../src/base/version.ts';
import { COMPRESSIONS, type Compression, type Release } from './package/release.ts';
import { makeDeb } from './package/debian.ts';
import { makeTarball } from './package/tarball.ts';
import { stageProgram } from './package/program.ts';

const REPOSITORY = join(import.meta.dirname, '..');

/** As Debian has them, and a tarball's name too. */
const VERSION_FORM = /^\d[\w.+~]*$/;

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'release' },
    version: { type: 'string', default: VERSION },
    compression: { type: 'string', default: 'xz' },
    only: { type: 'string', default: '' },
  },
});
try {
  await main();
} catch (error) {
  process.stderr.write(`package: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const release: Release = { version: values.version, time: await timeOfSources(), compression: compressionOf(values.compression) };
  if (!VERSION_FORM.test(release.version))
    throw new Error(`--version ${release.version}: must begin with a digit and have letters, digits, and . + ~ only`);
  if (!['', 'deb', 'tarball'].includes(values.only)) throw new Error(`--only ${values.only}: must be deb or tarball`);
  if (process.arch !== 'x64') throw new Error(`this machine is ${process.arch}, must be x64: nothing else is built`);
  const out = resolve(values.out);
  await ensureDir(out);
  const work = await mkdtemp(join(tmpdir(), 'podwright-package-'));
  try {
    const program = join(work, 'program');
    await stageProgram(program, release.version);
    if (values.only !== 'tarball') await tell(await makeDeb({ release, program, work: join(work, 'deb'), out }));
    if (values.only !== 'deb') await tell(await makeTarball({ release, program, work: join(work, 'tarball'), out }));
  } finally {
    await remove(work);
  }
}

function compressionOf(name: string): Compression {
  const found = COMPRESSIONS.find((each) => each === name);
  if (found === undefined) throw new Error(`--compression ${name}: must be one of ${COMPRESSIONS.join(', ')}`);
  return found;
}

/** Seconds since 1970: https://reproducible-builds.org/specs/source-date-epoch/. */
async function timeOfSources(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  const text = given ?? (await execa('git', ['-C', REPOSITORY, 'log', '-1', '--format=%ct'])).stdout;
  if (!/^\d+$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is ${JSON.stringify(text)}, must be seconds since 1970`);
  return Number(text);
}

async function tell({ file, installedBytes }: { readonly file: string; readonly installedBytes: number }): Promise<void> {
  const { size } = await stat(file);
  process.stdout.write(`${relative(process.cwd(), file)}: ${megabytes(size)}, ${megabytes(installedBytes)} installed\n`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
