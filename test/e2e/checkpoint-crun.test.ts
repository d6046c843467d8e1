/** Checkpoints with crun, which loads CRIU's library when it needs it. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { pathExists, remove } from 'fs-extra/esm';
import { findCriu } from '../support/criu.ts';
import { TestDaemon } from '../support/daemon.ts';
import { findProgram } from '../support/find-program.ts';
import { failureOf, outputOf, removePod, runContainer, runPod, shell, until, waitForOutput } from '../support/pods.ts';
import { userRuntimes } from '../support/user-namespaces.ts';

const { path: criu, skip: noCriu } = await findCriu();
const crun = userRuntimes.map(({ path }) => path).find((path) => basename(path) === 'crun') ?? '';
/** Where scripts/fetch-crun.sh puts its libraries. */
const libraries = join(dirname(crun), 'lib');
const hasLibrary = await pathExists(join(libraries, 'libcriu.so.2'));
const noCrun = !hasLibrary && "there is no crun with CRIU's library beside it: scripts/fetch-crun.sh has fetched none";
const noPatchelf = (await findProgram('patchelf')) === undefined && 'patchelf is missing';
const skip = noCriu !== false ? noCriu : noCrun !== false ? noCrun : noPatchelf;

/** The same crun, which finds all libraries but CRIU's. */
async function withoutLibrary(directory: string): Promise<string> {
  const folder = join(directory, 'lib');
  await mkdir(folder);
  for (const name of await readdir(libraries)) if (!name.startsWith('libcriu')) await symlink(join(libraries, name), join(folder, name));
  const program = join(directory, 'crun');
  await copyFile(crun, program);
  await execa('patchelf', ['--force-rpath', '--set-rpath', folder, program]);
  return program;
}

test("crun takes a checkpoint; one that cannot load CRIU's library is named, and the container goes on", { skip }, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-crun-'));
  context.after(async () => remove(directory));
  const location = join(directory, 'x.tar');
  await onCounting(crun, async (daemon, containerId) => {
    await daemon.runtime.checkpointContainer({ containerId, location, timeout: 60n });
    assert.ok((await stat(location)).size > 10_000);
    await remove(location);
  });
  await onCounting(await withoutLibrary(directory), async (daemon, containerId) => {
    const { code, message } = await failureOf(daemon.runtime.checkpointContainer({ containerId, location, timeout: 60n }));
    assert.deepEqual([code, /crun cannot load CRIU's library: .*libcriu/.test(message)], ['FAILED_PRECONDITION', true], message);
    assert.equal(await pathExists(location), false);
  });
});

/** A container that counts must go on to do so after the work. */
async function onCounting(runtime: string, work: (daemon: TestDaemon, containerId: string) => Promise<void>): Promise<void> {
  const daemon = await TestDaemon.start({ config: `[checkpoint]\ncriu = "${criu}"\n`, args: ['--runtime', `runc=${runtime}`] });
  try {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, shell('i=0; while :; do i=$((i+1)); echo count $i; sleep 0.1; done'));
    await waitForOutput(daemon, id, 'count 3');
    await work(daemon, id);
    const { length } = await outputOf(daemon, id);
    await until('the container counts on', async () => (await outputOf(daemon, id)).length > length + 3);
    await removePod(daemon, pod.id);
  } finally {
    await daemon.destroy();
  }
}
