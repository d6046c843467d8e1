/** CreateContainer from a checkpoint: its processes go on in another pod where they were. */
// long: 40 s
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readlink, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { ContainerState, NamespaceMode } from '../../api/cri/enums.ts';
import { ociArchive, sha256 } from '../../scripts/make-demo-image.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { COUNT, counts, countsOn } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import {
  containerConfig,
  containerStatus,
  createContainer,
  execOutput,
  failureOf,
  podConfig,
  removePod,
  runContainer,
  runPod,
  shell,
  until,
  waitForExit,
  waitForOutput,
} from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

const { path: criu, skip } = await findCriu();
const test = sharedDaemon({ config: `[checkpoint]\ncriu = "${criu}"\n`, images: ['busybox', 'layers'], skip });

/** Counts, and ends with 7 when it is asked to. */
const COUNT_AND_END = `trap "exit 7" TERM; ${COUNT}`;

/** A checkpoint of a container that has written and deleted files, in a directory of its own; its pod is gone. */
async function checkpointed(
  daemon: TestDaemon,
  script = 'true',
  image: string = IMAGES.busybox,
): Promise<{ location: string; last: number }> {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell(`${script}; ${COUNT_AND_END}`), { image });
  await waitForOutput(daemon, id, 'count 5');
  const directory = join(daemon.directory, 'checkpoints');
  await mkdir(directory, { recursive: true });
  const location = join(directory, `${id}.tar`);
  const started = performance.now();
  await daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 60n });
  console.log(`checkpoint: ${Math.round(performance.now() - started)} ms, ${(await stat(location)).size} bytes`);
  const unpacked = await execa('tar', ['-xOf', location, 'io.kubernetes.cri-o.LogPath']);
  const last = unpacked.stdout.split('\n').filter((line) => line.includes(' count ')).length;
  await removePod(daemon, pod.id);
  return { location, last };
}

const FILES =
  'mkdir -p /data/deep && echo kept > /data/deep/file && rm /etc/group && echo changed > /etc/passwd && ' +
  'rm -r /tree && mkdir /tree && echo new > /tree/fresh && chown 12:34 /data/kept';

test('a counting process goes on where it was, in another pod, with its files, its log and its exit code', async (daemon) => {
  const { location, last } = await checkpointed(daemon, FILES, IMAGES.layers);
  const pod = await runPod(daemon);
  const id = await createContainer(daemon, pod, ['anything'], { image: location });
  assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_CREATED);
  const started = performance.now();
  await daemon.runtime.startContainer({ containerId: id });
  console.log(`restore: ${Math.round(performance.now() - started)} ms`);
  await countsOn(daemon, id, last);

  assert.equal(await execOutput(daemon, id, ['cat', '/data/deep/file']), 'kept');
  assert.equal(await execOutput(daemon, id, ['cat', '/etc/passwd']), 'changed');
  assert.equal(await execOutput(daemon, id, shell('[ ! -e /etc/group ] && echo gone')), 'gone');

  assert.equal(await execOutput(daemon, id, ['ls', '/tree']), 'fresh');
  assert.equal(await execOutput(daemon, id, ['stat', '-c', '%u:%g %a', '/data/kept']), '12:34 640');

  const pid = await pidOf(daemon, id);
  const other = await runContainer(daemon, pod, shell('sleep 3600'), { name: 'other' });
  const network = async (of: number): Promise<string> => readlink(`/proc/${of}/ns/net`);
  assert.equal(await network(pid), await network(await pidOf(daemon, other)));
  const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  const parent = pod.config.linux?.cgroupParent ?? '';
  assert.ok(cgroups.split('\n').some((line) => line.endsWith(`${parent}/${id}`)), cgroups); // prettier-ignore

  await daemon.kill9();
  await daemon.start();
  await countsOn(daemon, id, (await counts(daemon, id)).length);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 20n });
  assert.equal((await waitForExit(daemon, id)).exitCode, 7);
  await remove(location);
});

test('an image that says it is a checkpoint is restored as well, several times', async (daemon) => {
  const { location, last } = await checkpointed(daemon);
  const tar = await readFile(location);
  const digest = sha256(tar);
  const name = 'localhost/podwright-test/checkpoint:1';
  const archive = ociArchive([
    {
      name,
      layers: [{ diffId: digest, digest, compression: 'none', blob: tar, tar }],
      config: {},
      annotations: { 'io.kubernetes.cri-o.annotations.checkpoint.name': 'main' },
    },
  ]);
  const directory = await mkdtemp(join(tmpdir(), 'pw-checkpoint-'));
  await writeFile(join(directory, 'image.tar'), archive);
  await daemon.cli('image', 'load', join(directory, 'image.tar'));
  await remove(directory);
  await remove(location);
  const pods = [await runPod(daemon), await runPod(daemon)];
  const ids = await Promise.all(pods.map(async (pod) => runContainer(daemon, pod, ['anything'], { image: name })));
  for (const id of ids) await countsOn(daemon, id, last);
  for (const pod of pods) await removePod(daemon, pod.id);
  await daemon.images.removeImage({ image: { image: name } });
});

test('what is no checkpoint, or lacks what it needs, is refused and leaves nothing', async (daemon) => {
  const { location } = await checkpointed(daemon);
  const pod = await runPod(daemon);
  const refused = async (image: string, change = {}): Promise<string> => {
    const { code, message } = await failureOf(createContainer(daemon, pod, ['x'], { image, change }));
    return `${code}: ${message}`;
  };
  assert.match(await refused(`${location}.none`), /INVALID_ARGUMENT: .*config.dump cannot be read: .*No such file/);
  const config = await containerConfig(pod, ['x']);
  const mounts = config.mounts?.filter(({ containerPath }) => containerPath !== '/dev/termination-log') ?? [];
  assert.match(await refused(location, { mounts }), /INVALID_ARGUMENT: .*config.mounts lacks .*\/dev\/termination-log/);
  const shared = await runPod(daemon, { namespaces: { pid: NamespaceMode.POD } });
  const failure = await failureOf(createContainer(daemon, shared, ['x'], { image: location }));
  assert.match(failure.message, /PID namespace of its own/);

  const directory = await mkdtemp(join(tmpdir(), 'pw-checkpoint-'));
  try {
    await execa('tar', ['-xf', location, '-C', directory]);
    await remove(join(directory, 'checkpoint', 'inventory.img'));
    const without = join(directory, 'without.tar');
    await execa('sh', ['-c', `cd ${directory} && tar -cf without.tar config.dump spec.dump checkpoint`]);
    assert.match(await refused(without), /INVALID_ARGUMENT: .*has no inventory.img/);
    // A link must not have us read a file of the node into the container's log or root file system.
    for (const name of ['io.kubernetes.cri-o.LogPath', 'deleted.files', 'rootfs-diff.tar', 'checkpoint']) {
      const linked = join(directory, 'linked.tar');
      const script = `mkdir linked && cp -r config.dump spec.dump checkpoint linked && cd linked && rm -rf ${name} && ln -s /etc/shadow ${name} && tar -cf ../linked.tar . --transform 's,^\\./,,' && cd .. && rm -r linked`;
      await execa('sh', ['-c', `cd ${directory} && ${script}`]);
      assert.match(await refused(linked), new RegExp(`INVALID_ARGUMENT: .*${name} in the checkpoint is (no regular file|a symlink)`));
      await remove(linked);
    }
    await execa('sh', [
      '-c',
      `cd ${directory} && truncate -s 5M deleted.files && tar -cf large.tar config.dump spec.dump checkpoint deleted.files`,
    ]);
    assert.match(
      await refused(join(directory, 'large.tar')),
      /INVALID_ARGUMENT: .*deleted.files in the checkpoint has 5242880 bytes, must have at most 4194304/,
    );
  } finally {
    await remove(directory);
  }
  await remove(location);
});

test('the names and the IPC of a restored container are those of its new pod; what the old one had there comes along or is refused', async (daemon) => {
  const directory = join(daemon.directory, 'checkpoints');
  await mkdir(directory, { recursive: true });
  const location = join(directory, 'ipc.tar');
  const take = async (id: string): Promise<unknown> => daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 60n });
  const inIpcOf = async (id: string, ...command: readonly string[]): Promise<string> =>
    (await execa('nsenter', ['-t', String(await pidOf(daemon, id)), '-i', ...command])).stdout;
  const old = await runPod(daemon, { name: 'the-old-name' });
  const first = await runContainer(daemon, old, shell(COUNT));
  await waitForOutput(daemon, first, 'count 3');
  // Objects of the kernel, in the namespace of the pod.
  await inIpcOf(first, 'ipcmk', '-M', '8192');
  await inIpcOf(first, 'ipcmk', '-S', '3');
  await inIpcOf(first, 'ipcmk', '-Q');
  const objects = await inIpcOf(first, 'ipcs');
  assert.match(objects, /8192/);
  await execOutput(daemon, first, shell('echo kept > /dev/shm/file'));
  await take(first);

  const linux = { ...podConfig(daemon).linux, sysctls: { 'kernel.shm_rmid_forced': '1' } };
  const pod = await runPod(daemon, { name: 'the-new-name', change: { linux } });
  const beside = await runContainer(daemon, pod, shell('sleep 3600'), { name: 'beside' });
  const id = await runContainer(daemon, pod, ['x'], { image: location });
  for (const kind of ['uts', 'ipc', 'net'] as const) {
    const namespaces = await Promise.all([id, beside, first].map(async (each) => readlink(`/proc/${await pidOf(daemon, each)}/ns/${kind}`)));
    assert.equal(namespaces[0], namespaces[1], kind);
    assert.notEqual(namespaces[0], namespaces[2], kind);
  }
  for (const each of [id, beside]) {
    assert.equal(await execOutput(daemon, each, ['hostname']), 'the-new-name');
    assert.equal(await execOutput(daemon, each, ['cat', '/etc/hostname']), 'the-new-name');
    assert.equal(await execOutput(daemon, each, ['cat', '/proc/sys/kernel/shm_rmid_forced']), '1');
    assert.match(await execOutput(daemon, each, shell('hostname other 2>&1 || true')), /not permitted/);
    assert.equal(await execOutput(daemon, each, ['ls', '/dev/shm']), '', 'files there are of the pod, not of the container');
  }
  assert.equal(await inIpcOf(id, 'ipcs'), objects);
  await removePod(daemon, old.id);
  await removePod(daemon, pod.id);

  const other = await runPod(daemon);
  const open = await runContainer(daemon, other, shell(`exec 5<>/dev/shm/open; ${COUNT}`), { name: 'open' });
  await waitForOutput(daemon, open, 'count 3');
  await take(open);
  const fresh = await runPod(daemon);
  const lacking = await createContainer(daemon, fresh, ['x'], { image: location });
  const { message } = await failureOf(daemon.runtime.startContainer({ containerId: lacking }));
  assert.match(message, /CRIU says: .*Can't open file dev\/shm\/open/);
  assert.equal(await execOutput(daemon, await runContainer(daemon, fresh, shell('sleep 3600'), { name: 'beside' }), ['hostname']), fresh.config.hostname);
  await execOutput(daemon, open, shell('echo > /dev/mqueue/queue || true'));
  const refused = await failureOf(take(open));
  assert.match(`${refused.code}: ${refused.message}`, /INTERNAL: .*mqueue isn't empty/);
  await remove(location);
}); // prettier-ignore

test('an archive that unpacks to more than the disk has is refused before anything is written', async (daemon) => {
  const { location } = await checkpointed(daemon);
  const pod = await runPod(daemon);
  const directory = await mkdtemp(join(tmpdir(), 'pw-checkpoint-'));
  const free = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(daemon.root);
    return bavail * bsize;
  };
  const refused = async (image: string): Promise<string> => {
    const before = await free();
    const { code, message } = await failureOf(createContainer(daemon, pod, ['x'], { image }));
    assert.ok(before - (await free()) < 2 ** 30, 'next to nothing was written');
    return `${code}: ${message}`;
  };
  try {
    await execa('tar', ['-xf', location, '-C', directory]);
    const pack = async (...options: readonly string[]): Promise<string> => {
      const image = join(directory, 'packed.tar');
      await remove(image);
      await execa('tar', ['-cf', image, ...options, '-C', directory, 'config.dump', 'spec.dump', 'checkpoint', 'rootfs-diff.tar']);
      return image;
    };
    const changes = join(directory, 'rootfs-diff.tar');
    const hole = join(directory, 'checkpoint', 'pages-9.img');
    for (const compression of [[], ['--gzip'], ['--zstd']]) {
      await execa('truncate', ['-s', '8T', hole]);
      assert.match(await refused(await pack('--sparse', ...compression)), /RESOURCE_EXHAUSTED: .*unpacks to more than \d+ bytes/);
      await remove(hole);
    }
    await execa('sh', ['-c', `head -c 1000000 /dev/zero | gzip > ${changes}`]);
    assert.match(await refused(await pack()), /INVALID_ARGUMENT: .*rootfs-diff.tar in the checkpoint is compressed, must be a plain tar/);
    // The documents are read first: one without an end must not be read to it.
    await execa('truncate', ['-s', '8T', join(directory, 'config.dump')]);
    assert.match(await refused(await pack('--sparse', '--gzip')), /INVALID_ARGUMENT: .*config.dump cannot be read: .*over \d+ bytes/);
  } finally {
    await remove(directory);
    await remove(location);
  }
});

test('a restore that CRIU refuses ends its container with the words of CRIU; one that never started can be stopped', async (daemon) => {
  const { location } = await checkpointed(daemon);
  const pod = await runPod(daemon);
  const directory = await mkdtemp(join(tmpdir(), 'pw-checkpoint-'));
  try {
    await execa('tar', ['-xf', location, '-C', directory]);
    await remove(join(directory, 'checkpoint', 'core-1.img'));
    const broken = join(directory, 'broken.tar');
    await execa('sh', ['-c', `cd ${directory} && tar -cf broken.tar config.dump spec.dump checkpoint`]);
    const id = await createContainer(daemon, pod, ['x'], { image: broken });
    const { message } = await failureOf(daemon.runtime.startContainer({ containerId: id }));
    assert.match(message, /CRIU says: .*Unexpected EOF/);
    const status = await containerStatus(daemon, id);
    assert.equal(status.state, ContainerState.CONTAINER_EXITED);
    assert.match(status.message, /CRIU says/);

    const waiting = await createContainer(daemon, pod, ['x'], { image: location, name: 'waiting' });
    await daemon.restart();
    assert.equal((await containerStatus(daemon, waiting)).state, ContainerState.CONTAINER_CREATED);
    await daemon.runtime.stopContainer({ containerId: waiting, timeout: 5n });
    assert.equal((await containerStatus(daemon, waiting)).exitCode, 137);
  } finally {
    await remove(directory);
    await remove(location);
  }
});

test('kill -9 in a restore: the container has ended, unknown how, and nothing of it goes on', async (daemon) => {
  const { location } = await checkpointed(daemon);
  for (const mark of ['container.starting', 'monitor.spawned', 'monitor.placed', 'container.started']) {
    const pod = await runPod(daemon);
    const id = await createContainer(daemon, pod, ['x'], { image: location });
    await daemon.restart({ PODWRIGHT_KILL_AT: mark });
    await failureOf(daemon.runtime.startContainer({ containerId: id }));
    await daemon.ended();
    await daemon.start();
    const { exitCode, reason } = await waitForExit(daemon, id);
    assert.deepEqual([exitCode, reason], [255, 'Unknown'], mark);
    // What was killed and has another parent than us is a zombie for a second or two.
    await until(
      `nothing of it goes on after ${mark}`,
      async () => {
        const { stdout } = await execa('sh', ['-c', `cat /proc/[0-9]*/cgroup 2>/dev/null | grep -c ${id} || true`]);
        return stdout === '0';
      },
      5000,
    );
    // A CRIU that is killed at the right moment leaves such a mount where cgroups are v1.
    const yard = join(daemon.directory, 'run/bundles', id, '.criu.cgyard.x7Ym2Q');
    await mkdir(yard);
    await execa('mount', ['-t', 'tmpfs', 'none', yard]);
    await removePod(daemon, pod.id);
  }
  await remove(location);
});
