/**
 * Makes what a node is installed from: a Debian package and a tarball, both with a Node of their own, the bundle and koffi's
 * native part. Wants what `npm ci` installs, and dpkg-deb, strip (of the other machine's binutils, where it is for that), tar and xz;
 * and no network, but for the Node and the native part of another machine, which npm fetches where its cache has them not.
 *
 *     npm run package [-- --out DIR] [--version VERSION] [--compression xz|zstd|none] [--only deb|tarball]
 *         [--architecture amd64|arm64]
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
import { ARCHITECTURES, ownArchitecture, type Architecture } from './package/architecture.ts';
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
    architecture: { type: 'string' },
  },
});
try {
  await main();
} catch (error) {
  process.stderr.write(`package: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const release: Release = {
    version: values.version,
    architecture: architectureOf(values.architecture),
    time: await timeOfSources(),
    compression: compressionOf(values.compression),
  };
  if (!VERSION_FORM.test(release.version))
    throw new Error(`--version ${release.version}: must begin with a digit and have letters, digits, and . + ~ only`);
  if (!['', 'deb', 'tarball'].includes(values.only)) throw new Error(`--only ${values.only}: must be deb or tarball`);
  const out = resolve(values.out);
  await ensureDir(out);
  const work = await mkdtemp(join(tmpdir(), 'podwright-package-'));
  try {
    const program = join(work, 'program');
    await stageProgram(program, release);
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

function architectureOf(name: string | undefined): Architecture {
  if (name === undefined) return ownArchitecture();
  if (!(name in ARCHITECTURES)) throw new Error(`--architecture ${name}: must be one of ${Object.keys(ARCHITECTURES).join(', ')}`);
  return name as Architecture;
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
