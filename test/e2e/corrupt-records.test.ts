// long: 35 s
import assert from 'node:assert/strict';
import { readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { ContainerState } from '../../api/cri/enums.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { containerStatus, execSync, removePod, runContainer, runPod } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';
import { removeCgroups } from '../support/sweep.ts';
import { IMAGES } from '../support/test-image.ts';

const SLEEP = ['sleep', '3600'];

interface Damage {
  readonly what: string;
  readonly harm: (file: string) => Promise<void>;
}

const DAMAGES: readonly Damage[] = [
  { what: 'garbage', harm: async (file) => writeFile(file, '{"version": 1, "da') },
  { what: 'an empty file', harm: async (file) => truncate(file, 0) },
  {
    what: 'a newer version',
    harm: async (file) => writeFile(file, (await readFile(file, 'utf8')).replace(/"version":\s*\d+/, '"version": 999')),
  },
  { what: 'other fields', harm: async (file) => writeFile(file, '{"version": 1, "data": {"id": 7}}') },
];

/** Records set aside are kept for a person to look at. */
const forget = async (daemon: TestDaemon): Promise<void> => {
  for (const folder of ['bad', 'storage/images/bad', 'cni/bad']) await remove(join(daemon.root, folder));
};

/** Every line of the log that names one of these files. */
async function assertNamed(daemon: TestDaemon, paths: readonly string[]): Promise<void> {
  const log = await readFile(daemon.logFile, 'utf8');
  for (const path of paths) assert.ok(log.includes(path), `the log does not name ${path}`);
}

for (const file of ['record.json', 'state.json'] as const) {
  e2eTest(`damage in sandboxes' ${file}: the daemon starts, names each file, frees each name, serves the rest`, async (daemon) => {
    const good = await runPod(daemon, { name: 'good' });
    const goodContainer = await runContainer(daemon, good, SLEEP);
    const bad: { pod: Pod; path: string; damage: Damage }[] = [];
    for (const damage of DAMAGES) {
      const pod = await runPod(daemon, { name: `bad-${bad.length}` });
      await runContainer(daemon, pod, SLEEP);
      bad.push({ pod, path: join(daemon.root, 'sandboxes', pod.id, file), damage });
    }
    await daemon.kill9();
    for (const { path, damage } of bad) await damage.harm(path);
    await daemon.start();

    await assertNamed(daemon, bad.map(({ path }) => path)); // prettier-ignore
    assert.equal((await execSync(daemon, goodContainer, ['true'])).exitCode, 0);
    const ids = [good.id];
    for (const { pod, damage } of bad) {
      const { podSandboxId } = await daemon.runtime.runPodSandbox({ config: pod.config });
      assert.notEqual(podSandboxId, pod.id, damage.what);
      ids.push(podSandboxId);
    }
    assert.deepEqual((await daemon.runtime.listPodSandbox({})).items.map((item) => item.id).sort(), ids.sort()); // prettier-ignore
    assert.deepEqual((await daemon.runtime.listContainers({})).containers.map((item) => item.id), [goodContainer]); // prettier-ignore
    await forget(daemon);
    // Whose cgroup a damaged record claimed is not known any more; it is the kubelet that removes those of pods.
    for (const { pod } of bad) await removeCgroups(pod.config.linux?.cgroupParent ?? '');
  });

  e2eTest(`damage in containers' ${file}: the daemon starts, names each file, frees each name, serves the rest`, async (daemon) => {
    const pod = await runPod(daemon);
    const good = await runContainer(daemon, pod, SLEEP, { name: 'good' });
    const bad: { name: string; path: string; damage: Damage }[] = [];
    for (const damage of DAMAGES) {
      const name = `bad-${bad.length}`;
      const id = await runContainer(daemon, pod, SLEEP, { name });
      bad.push({ name, path: join(daemon.root, 'containers', id, file), damage });
    }
    await daemon.kill9();
    for (const { path, damage } of bad) await damage.harm(path);
    await daemon.start();

    await assertNamed(daemon, bad.map(({ path }) => path)); // prettier-ignore
    assert.equal((await containerStatus(daemon, good)).state, ContainerState.CONTAINER_RUNNING);
    for (const { name } of bad) await runContainer(daemon, pod, SLEEP, { name });
    assert.equal((await daemon.runtime.listContainers({})).containers.length, bad.length + 1);
    await removePod(daemon, pod.id);
    await forget(daemon);
  });
}

e2eTest('damaged records of images and networks: the daemon starts and serves the rest', async (daemon) => {
  await daemon.loadImages(['layers']);
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  await daemon.kill9();
  const harmed: string[] = [];
  for (const folder of ['cni', 'storage/images']) {
    const files = await readdir(join(daemon.root, folder), { recursive: true }).catch(() => []);
    const record = files.find((file) => file.endsWith('.json'));
    if (record === undefined) continue;
    harmed.push(join(daemon.root, folder, record));
    await writeFile(join(daemon.root, folder, record), '{"half');
  }
  assert.ok(harmed.length > 0, 'no record was found to damage');
  await daemon.start();

  const log = await readFile(daemon.logFile, 'utf8');
  for (const file of harmed) assert.ok(log.includes(file.split('/').at(-1) ?? ''), `the log does not name ${file}`);
  assert.equal((await execSync(daemon, id, ['true'])).exitCode, 0);
  await removePod(daemon, pod.id);
  await daemon.loadImages(['busybox', 'layers']);
  const again = await runPod(daemon);
  await runContainer(daemon, again, SLEEP, { image: IMAGES.busybox });
  await runContainer(daemon, again, SLEEP, { image: IMAGES.layers, name: 'layers' });
  await removePod(daemon, again.id);
  await daemon.images.removeImage({ image: { image: IMAGES.layers } });
  await forget(daemon);
});
