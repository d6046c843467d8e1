/** VOLUMEs of images where `image_volumes` is bind or ignore; odd-images.test.ts has mkdir, the default. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busyboxLayer, makeLayer, ociArchive } from '../../scripts/make-demo-image.ts';
import { COUNT, countsOn } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import {
  containerConfig,
  createContainer,
  execOutput,
  removeAllPods,
  runContainer,
  runPod,
  shell,
  waitForOutput,
} from '../support/pods.ts';
import { noUserNamespaces, userNamespaceArgs, withUsers } from '../support/user-namespaces.ts';

const { path: criu, skip } = await findCriu();
const IMAGE = 'localhost/volumes:1';

async function load(daemon: TestDaemon): Promise<void> {
  const files = await makeLayer([
    { path: 'data', kind: 'directory', mode: 0o750, uid: 1000, gid: 1000, mtime: 1_000_000 },
    { path: 'data/seed', kind: 'file', data: 'seed', uid: 1000, gid: 1000, mode: 0o640, mtime: 1_000_000 },
    { path: 'link', kind: 'symlink', linkTarget: '/data' },
  ]);
  const config = {
    Env: ['PATH=/bin'],
    Volumes: { '/data': {}, '/link': {}, '/made/here': {}, '/proc/x': {}, '/etc/passwd': {}, '/taken/sub': {} },
  };
  const archive = join(daemon.directory, 'volumes.tar');
  await writeFile(archive, ociArchive([{ name: IMAGE, layers: [await busyboxLayer(), files], config }]));
  await daemon.cli('image', 'load', archive);
}

/** A running container with a read-only root file system, and a volume of its own at /taken. */
async function run(daemon: TestDaemon, users: object = {}): Promise<string> {
  const pod = await runPod(daemon, users);
  const base = await containerConfig(pod, ['sleep', '3600'], { image: IMAGE, ...users });
  const config = {
    ...base,
    linux: { ...base.linux, securityContext: { ...base.linux?.securityContext, readonlyRootfs: true } },
    mounts: [{ containerPath: '/taken', hostPath: join(daemon.directory, 'taken'), readonly: true }],
  };
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  await daemon.runtime.startContainer({ containerId });
  return containerId;
}

e2eTest(
  'image_volumes = bind: VOLUMEs are filled from the image, can be written under a read-only root, and go with their container',
  async (daemon) => {
    await load(daemon);
    const id = await run(daemon);
    assert.equal(
      await execOutput(daemon, id, ['stat', '-c', '%u:%g %a %Y', '/data', '/data/seed']),
      '1000:1000 750 1000000\n1000:1000 640 1000000',
    );
    const write = 'dd if=/dev/zero of=/data/big bs=1M count=3 2>/dev/null; echo x >/link/y; echo z >/made/here/z; cat /data/y /made/here/z';
    assert.equal(await execOutput(daemon, id, shell(write)), 'x\nz');
    assert.match(await execOutput(daemon, id, shell('{ echo >/etc/no; echo >/taken/sub/no; } 2>&1; ls /taken')), /Read-only.*\n.*(nonexistent|No such)/); // prettier-ignore
    const { stats } = await daemon.runtime.containerStats({ containerId: id });
    assert.ok((stats?.writableLayer?.usedBytes?.value ?? 0n) >= 3n << 20n, `${stats?.writableLayer?.usedBytes?.value}`);
    await daemon.kill9();
    await daemon.start();
    assert.equal(await execOutput(daemon, id, shell('cat /data/y; echo w >/data/w; cat /data/w')), 'x\nw');
    const other = await run(daemon);
    assert.equal(await execOutput(daemon, other, shell('ls /data')), 'seed');
    await removeAllPods(daemon);
    await daemon.images.removeImage({ image: { image: IMAGE } });
  },
  { config: 'image_volumes = "bind"\n' },
);

e2eTest(
  'image_volumes = bind: a checkpoint has what was written to them, and its restore finds it there',
  async (daemon) => {
    await load(daemon);
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, shell(`echo x >/data/y; rm /data/seed; ${COUNT}`), { image: IMAGE });
    await waitForOutput(daemon, id, 'count 3');
    const location = join(daemon.directory, 'checkpoint.tar');
    await daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 60n });
    await removeAllPods(daemon);
    const other = await runPod(daemon);
    const restored = await createContainer(daemon, other, ['anything'], { image: location });
    await daemon.runtime.startContainer({ containerId: restored });
    await countsOn(daemon, restored, 3);
    assert.equal(await execOutput(daemon, restored, shell('ls -A /data; cat /data/y; echo z >/data/z; cat /data/z')), 'y\nx\nz');
    await removeAllPods(daemon);
    await daemon.images.removeImage({ image: { image: IMAGE } });
  },
  { config: `image_volumes = "bind"\n[checkpoint]\ncriu = "${criu}"\n`, skip },
);

e2eTest(
  'image_volumes = bind: in a user namespace the owners are those of the image',
  async (daemon) => {
    await load(daemon);
    const id = await run(daemon, withUsers());
    assert.equal(await execOutput(daemon, id, shell('stat -c "%u:%g %a" /data/seed; echo x >/data/x; stat -c %u:%g /data/x')), '1000:1000 640\n0:0'); // prettier-ignore
    await removeAllPods(daemon);
    await daemon.images.removeImage({ image: { image: IMAGE } });
  },
  { config: 'image_volumes = "bind"\n', args: userNamespaceArgs, skip: noUserNamespaces },
);

e2eTest(
  'image_volumes = ignore: nothing is made',
  async (daemon) => {
    await load(daemon);
    const id = await run(daemon);
    assert.match(await execOutput(daemon, id, shell('ls -d /made 2>&1; true')), /No such file/);
    await removeAllPods(daemon);
    await daemon.images.removeImage({ image: { image: IMAGE } });
  },
  { config: 'image_volumes = "ignore"\n' },
);
