import assert from 'node:assert/strict';
import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerState } from '../../api/cri/enums.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { containerStatus, createContainer, execSync, removePod, runContainer, runPod } from '../support/pods.ts';
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
  await rm(join(daemon.root, 'bad'), { recursive: true, force: true });
};

for (const { what, harm } of DAMAGES) {
  for (const file of ['record.json', 'state.json'] as const) {
    e2eTest(`${what} in a sandbox's ${file}: the daemon starts, names the file, frees the name, serves the rest`, async (daemon) => {
      const good = await runPod(daemon, { name: 'good' });
      const goodContainer = await runContainer(daemon, good, SLEEP);
      const bad = await runPod(daemon, { name: 'bad' });
      await runContainer(daemon, bad, SLEEP);
      await daemon.kill9();
      const path = join(daemon.root, 'sandboxes', bad.id, file);
      await harm(path);
      await daemon.start();

      assert.ok((await readFile(daemon.logFile, 'utf8')).includes(path), `the log does not name ${path}`);
      assert.equal((await execSync(daemon, goodContainer, ['true'])).exitCode, 0);
      const { podSandboxId } = await daemon.runtime.runPodSandbox({ config: bad.config });
      assert.notEqual(podSandboxId, bad.id);
      const ids = (await daemon.runtime.listPodSandbox({})).items.map((item) => item.id);
      assert.deepEqual(ids.sort(), [good.id, podSandboxId].sort());
      await forget(daemon);
    });

    e2eTest(`${what} in a container's ${file}: the daemon starts, names the file, frees the name, serves the rest`, async (daemon) => {
      const pod = await runPod(daemon);
      const good = await runContainer(daemon, pod, SLEEP, { name: 'good' });
      const bad = await runContainer(daemon, pod, SLEEP, { name: 'bad' });
      await daemon.kill9();
      const path = join(daemon.root, 'containers', bad, file);
      await harm(path);
      await daemon.start();

      assert.ok((await readFile(daemon.logFile, 'utf8')).includes(path), `the log does not name ${path}`);
      assert.equal((await containerStatus(daemon, good)).state, ContainerState.CONTAINER_RUNNING);
      const again = await createContainer(daemon, pod, SLEEP, { name: 'bad' });
      await daemon.runtime.startContainer({ containerId: again });
      await removePod(daemon, pod.id);
      await forget(daemon);
    });
  }
}

e2eTest('damaged records of images and networks: the daemon starts and serves the rest', async (daemon) => {
  await daemon.loadImages(['layers']);
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  await daemon.kill9();
  const harmed: string[] = [];
  for (const folder of ['cni', 'images']) {
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
  await runContainer(daemon, await runPod(daemon), SLEEP, { image: IMAGES.busybox });
  await forget(daemon);
});
