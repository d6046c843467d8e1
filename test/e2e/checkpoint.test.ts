/** CheckpointContainer: the archive, the container that goes on, and what stays of one that fails or is cut short. */
// long: 45 s
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { COUNT, counts, countsOn } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { createContainer, failureOf, removePod, runContainer, runPod, shell, until, waitForOutput } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';

const { path: criu, skip } = await findCriu();
const config = `[checkpoint]\ncriu = "${criu}"\n`;

const shared = sharedDaemon({ config, skip });

async function counting(daemon: TestDaemon, before = 'true'): Promise<{ pod: Pod; id: string }> {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell(`${before}; ${COUNT}`));
  await waitForOutput(daemon, id, 'count 3');
  return { pod, id };
}

async function placeOf(daemon: TestDaemon): Promise<string> {
  const directory = join(daemon.directory, 'checkpoints');
  await mkdir(directory, { recursive: true });
  return directory;
}

async function nothingStays(daemon: TestDaemon, containerId: string, place: string): Promise<void> {
  assert.deepEqual(await readdir(place), []);
  assert.ok(!(await readdir(join(daemon.root, 'containers', containerId))).includes('checkpoint'));
}

shared('a checkpoint is an archive of the format of CRI-O, for root alone, and its container counts on', async (daemon) => {
  const { pod, id } = await counting(
    daemon,
    'mkdir -p /data/deep && echo kept > /data/deep/file && ln -s file /data/deep/link && rm /etc/group',
  );
  const place = await placeOf(daemon);
  const location = join(place, 'one.tar');
  await daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 0n });
  await countsOn(daemon, id);
  const { info } = await daemon.runtime.status({ verbose: true });
  assert.deepEqual(JSON.parse(info['checkpoint'] ?? ''), { allowed: 'checkpoint_restore', handlers: { runc: true } });
  assert.deepEqual(await readdir(place), ['one.tar']);
  assert.equal((await stat(location)).mode & 0o777, 0o600);
  assert.ok(!(await readdir(join(daemon.root, 'containers', id))).includes('checkpoint'));

  const unpacked = await mkdtemp(join(tmpdir(), 'pw-checkpoint-'));
  try {
    await execa('tar', ['-xf', location, '-C', unpacked]);
    const names = (await readdir(unpacked)).toSorted();
    assert.deepEqual(names, ['bind.mounts', 'checkpoint', 'config.dump', 'deleted.files', 'dump.log', 'io.kubernetes.cri-o.LogPath', 'rootfs-diff.tar', 'spec.dump', 'stats-dump']); // prettier-ignore
    assert.ok((await readdir(join(unpacked, 'checkpoint'))).includes('inventory.img'));
    const document = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(unpacked, name), 'utf8')) as unknown;
    const { id: dumped, rootfsImageRef } = (await document('config.dump')) as { id: string; rootfsImageRef: string };
    assert.equal(dumped, id);
    assert.match(rootfsImageRef, /^[0-9a-f]{64}$/);
    const { annotations } = (await document('spec.dump')) as { annotations: Record<string, string> };
    assert.equal(annotations['io.container.manager'], 'cri-o');
    assert.equal(annotations['io.kubernetes.pod.name'], pod.config.metadata?.name);
    assert.deepEqual(await document('deleted.files'), ['/etc/group']);
    const mounts = (await document('bind.mounts')) as { destination: string; file_type: string }[];
    assert.equal(mounts.find(({ destination }) => destination === '/dev/termination-log')?.file_type, 'file');
    const { stdout } = await execa('tar', ['-tf', join(unpacked, 'rootfs-diff.tar')]);
    assert.deepEqual(stdout.split('\n').filter((name) => name.startsWith('data')).toSorted(), ['data/', 'data/deep/', 'data/deep/file', 'data/deep/link']); // prettier-ignore
    assert.ok(!stdout.includes('etc/hosts'));
  } finally {
    await remove(unpacked);
  }
  await remove(place);
});

shared('a second checkpoint takes the place of the first', async (daemon) => {
  const { id } = await counting(daemon);
  const place = await placeOf(daemon);
  const location = join(place, 'again.tar');
  await writeFile(location, 'what was there');
  await daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 60n });
  assert.ok((await stat(location)).size > 10_000);
  assert.deepEqual(await readdir(place), ['again.tar']);
  await countsOn(daemon, id);
  await remove(place);
});

shared('a checkpoint that must not be is refused by its field, and the container counts on', async (daemon) => {
  const { pod, id } = await counting(daemon);
  const place = await placeOf(daemon);
  const ask = async (location: string, timeout = 0n, containerId = id): ReturnType<typeof failureOf> =>
    failureOf(daemon.runtime.checkpointContainer({ containerId, location, timeout }));
  for (const location of ['', 'relative.tar', `${place}/`, `${place}/../x.tar`, `${place}/none/x.tar`, place, '/proc/x.tar']) {
    const { code, message } = await ask(location);
    assert.equal(code, 'INVALID_ARGUMENT', `${location}: ${message}`);
    assert.match(message, /location/);
  }
  for (const timeout of [-1n, 86_401n]) {
    const { code, message } = await ask(join(place, 'x.tar'), timeout);
    assert.equal(code, 'INVALID_ARGUMENT');
    assert.match(message, /timeout/);
  }
  assert.equal((await ask(join(place, 'x.tar'), 0n, 'f'.repeat(64))).code, 'NOT_FOUND');
  const created = await createContainer(daemon, pod, shell('true'), { name: 'created' });
  const { code, message } = await ask(join(place, 'x.tar'), 0n, created);
  assert.equal(code, 'FAILED_PRECONDITION');
  assert.match(message, /it is Created, must be Running/);
  await nothingStays(daemon, id, place);
  await countsOn(daemon, id);
});

/** A CRIU that is at rest for a while before it does what it is asked to. */
async function slowCriu(seconds: number): Promise<{ path: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'pw-criu-'));
  const path = join(directory, 'criu');
  await writeFile(path, `#!/bin/sh\n[ "$1" = swrk ] && sleep ${seconds}\nexec ${criu} "$@"\n`);
  await chmod(path, 0o755);
  return { path, remove: async () => remove(directory) };
}

test('a checkpoint that takes too long ends at its time, and its container counts on', { skip }, async (context) => {
  const slow = await slowCriu(100);
  context.after(slow.remove);
  const daemon = await TestDaemon.start({ config: `[checkpoint]\ncriu = "${slow.path}"\n` });
  try {
    const { pod, id } = await counting(daemon);
    const place = await placeOf(daemon);
    const { code, message } = await failureOf(
      daemon.runtime.checkpointContainer({ containerId: id, location: join(place, 'x.tar'), timeout: 1n }),
    );
    assert.equal(code, 'DEADLINE_EXCEEDED');
    assert.match(message, /not finished after 1 s/);
    await countsOn(daemon, id);
    await nothingStays(daemon, id, place);

    // The same with a daemon that is killed meanwhile: the next one ends what still works on the container.
    const cut = daemon.runtime.checkpointContainer({ containerId: id, location: join(place, 'x.tar'), timeout: 60n });
    cut.catch(() => undefined);
    await until('the container is frozen', async () => {
      const before = await counts(daemon, id);
      await new Promise((resolve) => setTimeout(resolve, 500));
      return (await counts(daemon, id)).length === before.length;
    });
    await daemon.kill9();
    await daemon.start();
    await countsOn(daemon, id);
    await nothingStays(daemon, id, place);

    // And a stop does not wait for it.
    const stopped = daemon.runtime.checkpointContainer({ containerId: id, location: join(place, 'x.tar'), timeout: 60n });
    stopped.catch(() => undefined);
    await until('a checkpoint is being written', async () => (await readdir(join(daemon.root, 'containers', id))).includes('checkpoint'));
    const started = Date.now();
    await daemon.runtime.stopContainer({ containerId: id, timeout: 1n });
    assert.ok(Date.now() - started < 20_000);
    await failureOf(stopped);
    await nothingStays(daemon, id, place);
    await removePod(daemon, pod.id);
  } finally {
    await daemon.destroy();
  }
});

const MARKS = [
  'checkpoint.begun',
  'checkpoint.frozen',
  'checkpoint.memory',
  'checkpoint.dumped',
  'checkpoint.archived',
  'checkpoint.packed',
];

e2eTest(
  'kill -9 at every mark of a checkpoint: the container counts on, and no half archive stays',
  async (daemon) => {
    const { id } = await counting(daemon);
    const place = await placeOf(daemon);
    const location = join(place, 'x.tar');
    for (const mark of MARKS) {
      await daemon.restart({ PODWRIGHT_KILL_AT: mark });
      await failureOf(daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 60n }));
      await daemon.ended();
      await daemon.start();
      await countsOn(daemon, id);
      if (mark === 'checkpoint.packed') await execa('tar', ['-tf', location]);
      else await nothingStays(daemon, id, place);
    }
    await remove(place);
  },
  { config, skip },
);

test('where CRIU cannot work, or must not be used, the call says why', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-criu-'));
  context.after(async () => remove(directory));
  const broken = join(directory, 'criu');
  const place = join(directory, 'place');
  await mkdir(place);
  await writeFile(broken, '#!/bin/sh\necho "Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds" >&2\nexit 1\n');
  await chmod(broken, 0o755);
  const cases = [
    {
      toml: `criu = "${broken}"`,
      code: 'FAILED_PRECONDITION',
      words: /CRIU cannot work on this node: criu check says: .*vDSO area bounds/,
    },
    { toml: `criu = "${directory}/none/criu"`, code: 'FAILED_PRECONDITION', words: /CRIU cannot work on this node: .*none\/criu/ },
    { toml: `containers = "none"\ncriu = "${broken}"`, code: 'UNIMPLEMENTED', words: /checkpoint.containers is "none"/ },
  ];
  const daemon = await TestDaemon.start({ config: `[checkpoint]\n${cases[0]?.toml ?? ''}\n` });
  try {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, shell('sleep 3600'));
    for (const { toml, code, words } of cases) {
      await writeFile(join(daemon.directory, 'podwright.toml'), `[checkpoint]\n${toml}\n`);
      await daemon.restart();
      const failure = await failureOf(
        daemon.runtime.checkpointContainer({ containerId: id, location: join(directory, 'x.tar'), timeout: 0n }),
      );
      assert.equal(failure.code, code);
      assert.match(failure.message, words);
      const ofPod = await failureOf(
        daemon.runtime.checkpointPod({ podSandboxId: pod.id, outputPath: place, containerIds: [id] }, { timeoutMs: 60_000 }),
      );
      assert.equal(ofPod.code, code);
      assert.match(ofPod.message, words);
      const { info } = await daemon.runtime.status({ verbose: true });
      const told = JSON.parse(info['checkpoint'] ?? '') as { allowed: string; handlers: Record<string, unknown> };
      assert.equal(told.allowed, code === 'UNIMPLEMENTED' ? 'none' : 'checkpoint_restore');
      for (const why of Object.values(told.handlers)) assert.match(String(why), /CRIU cannot work on this node/);
    }
    assert.deepEqual((await readdir(directory)).toSorted(), ['criu', 'place']);
    assert.deepEqual(await readdir(place), []);
    await removePod(daemon, pod.id);
  } finally {
    await daemon.destroy();
  }
});
