// long: 30 s
/** A plugin chooses the cgroup of a container: it is the container's for everything that cgroups are for, and goes with it. */
import assert from 'node:assert/strict';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { cgroupFile, cgroupOf, directoryOf, isThere, isV1, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf } from '../support/e2e-test.ts';
import { noNriPlugin, NriPlugin } from '../support/nri-plugin.ts';
import { createContainer, execOutput, failureOf, outputOf, removePod, runContainer, runPod, shell, until, waitForExit, waitForOutput } from '../support/pods.ts'; // prettier-ignore

const SLEEP = ['sleep', '3600'];
const MIB = 1n << 20n;
const LIMIT = ['memory.limit_in_bytes', 'memory.max'] as const;

/** What containers named so get as their cgroup. */
async function withChosen(daemon: TestDaemon, chosen: Readonly<Record<string, string>>, work: () => Promise<void>): Promise<void> {
  const rules = Object.entries(chosen).map(([container, cgroupsPath]) => {
    return { call: 'CreateContainer', container, answer: { adjust: { linux: { cgroupsPath } } } } as const;
  });
  const plugin = await NriPlugin.start(daemon.nriSocket, { events: ['CreateContainer'], rules });
  try {
    await work();
  } finally {
    await plugin.stop();
  }
}

e2eTest(
  'a container lives in the cgroup that a plugin has chosen: stats, updates, execs, also after kill -9 of the daemon; it goes with it',
  async (daemon) => {
    const chosen = `${daemon.cgroup}/chosen`;
    await withChosen(daemon, { moved: chosen }, async () => {
      const pod = await runPod(daemon);
      const other = await runContainer(daemon, pod, SLEEP, { name: 'other' });
      const earlier = await inventoryOf(daemon);
      const id = await runContainer(daemon, pod, shell('head -c 20000000 /dev/zero >/dev/shm/x; echo ready; sleep 3600'), {
        name: 'moved',
        memoryBytes: 64n * MIB,
      });
      await waitForOutput(daemon, id, 'ready');
      const pid = await pidOf(daemon, id);
      const look = async (limit: bigint): Promise<void> => {
        assert.equal(await cgroupOf(pid), chosen);
        const inside = await execOutput(daemon, id, shell('cat /proc/self/cgroup'));
        assert.match(inside, new RegExp(isV1 ? `:memory:${chosen}(\n|$)` : '0::/'));
        const { stats } = await daemon.runtime.containerStats({ containerId: id });
        assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 15n * MIB, 'its memory');
        assert.equal(await cgroupFile(pid, LIMIT), String(limit));
        const { info } = await daemon.runtime.containerStatus({ containerId: id, verbose: true });
        assert.equal((JSON.parse(info['info'] ?? '') as { cgroupsPath: string }).cgroupsPath, chosen);
      };
      await look(64n * MIB);
      const update = async (limit: bigint): Promise<unknown> =>
        daemon.runtime.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: limit } });
      assert.match((await failureOf(update(8n * MIB))).message, /must be at least the \d+ bytes in use/);
      await update(80n * MIB);
      await look(80n * MIB);
      await daemon.kill9();
      await daemon.start();
      await look(80n * MIB);
      await update(72n * MIB);
      await look(72n * MIB);
      assert.notEqual(await cgroupOf(await pidOf(daemon, other)), chosen);
      await execOutput(daemon, id, ['rm', '/dev/shm/x']);
      await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
      await until('its cgroup is gone', async () => !(await isThere(chosen)));
      await daemon.runtime.removeContainer({ containerId: id });
      await assertNothingNew(daemon, earlier);
    });
  },
  { skip: noNriPlugin },
);

e2eTest(
  'an OOM kill there is told, also of a child and in the cgroup of the pod',
  async (daemon) => {
    const pod = await runPod(daemon);
    const ofPod = pod.config.linux?.cgroupParent ?? '';
    await withChosen(daemon, { first: `${daemon.cgroup}/first`, child: `${daemon.cgroup}/child`, inPod: `${ofPod}/own` }, async () => {
      const eat = 'dd if=/dev/zero of=/dev/null bs=64M';
      const memoryBytes = 15n * MIB;
      const first = await runContainer(daemon, pod, shell(`exec ${eat}`), { name: 'first', memoryBytes });
      const child = await runContainer(daemon, pod, shell(`${eat}; exit 3`), { name: 'child', memoryBytes });
      const inPod = await runContainer(daemon, pod, shell(`${eat}; exit 4`), { name: 'inPod', memoryBytes });
      const calm = await runContainer(daemon, pod, shell('exit 5'), { name: 'calm' });
      for (const [id, exitCode, reason] of [
        [first, 137, 'OOMKilled'],
        [child, 3, 'OOMKilled'],
        [inPod, 4, 'OOMKilled'],
        [calm, 5, 'Error'],
      ] as const) {
        // prettier-ignore
        const ended = await waitForExit(daemon, id);
        assert.deepEqual([ended.exitCode, ended.reason], [exitCode, reason], (await outputOf(daemon, id)).join('\n'));
      }
    });
  },
  { skip: noNriPlugin },
);

e2eTest(
  'the container after it gets the same cgroup, which the removal of the one before does not touch, whatever was restarted meanwhile',
  async (daemon) => {
    const chosen = `${daemon.cgroup}/chosen`;
    await withChosen(daemon, { moved: chosen, rival: chosen, below: `${chosen}/x` }, async () => {
      const pod = await runPod(daemon);
      const before = await runContainer(daemon, pod, SLEEP, { name: 'moved' });
      for (const name of ['rival', 'below']) {
        const { message } = await failureOf(createContainer(daemon, pod, SLEEP, { name }));
        assert.match(message, new RegExp(`NRI plugin 10-test: linux.cgroups_path is .*must not be that of container ${before}`));
      }
      await daemon.runtime.stopContainer({ containerId: before, timeout: 0n });
      const after = await runContainer(daemon, pod, SLEEP, { name: 'moved', attempt: 1 });
      await daemon.kill9();
      await daemon.start();
      await daemon.runtime.removeContainer({ containerId: before });
      assert.equal(await cgroupOf(await pidOf(daemon, after)), chosen);
      // Its processes go with the cgroup also where nobody knows any more who they were.
      const record = join(daemon.directory, 'root/containers', after, 'record.json');
      await daemon.kill9();
      await writeFile(record, '{');
      await daemon.start();
      await until('its cgroup is gone', async () => !(await isThere(chosen)));
      assert.ok(!(await isThere(`${pod.config.linux?.cgroupParent ?? ''}/podwright-conmon-${after}`)), "its monitor's cgroup is there");
      await remove(join(daemon.directory, 'root/bad'));
    });
  },
  { skip: noNriPlugin },
);

e2eTest(
  'a cgroup that cannot be its own is refused with plugin and field, and nothing is left',
  async (daemon) => {
    const [pod, foreign] = [await runPod(daemon), await runPod(daemon)];
    const other = await runContainer(daemon, foreign, SLEEP, { name: 'other' });
    const ofPod = pod.config.linux?.cgroupParent ?? '';
    const ofForeign = foreign.config.linux?.cgroupParent ?? '';
    const busy = `${daemon.cgroup}/busy`;
    await mkdir(directoryOf(busy));
    const cases: readonly [path: string, must: RegExp][] = [
      ['relative/x', /must be an absolute path/],
      ['/', /must be an absolute path/],
      [`${daemon.cgroup}/../x`, /must be an absolute path/],
      [daemon.cgroup, /must not be there yet/],
      [busy, /must not be there yet/],
      [ofPod, /must be right in the cgroup of its pod/],
      [`${ofPod}/a/b`, /must be right in the cgroup of its pod/],
      [ofForeign, /must not be in the cgroup of another pod/],
      [`${ofForeign}/x`, /must not be in the cgroup of another pod/],
      [`${ofForeign}/${other}`, /must be an absolute path.*neither an id/],
      [`${daemon.cgroup}/none/x`, /must be in a cgroup that is there: .*\/none is not/],
    ];
    const earlier = await inventoryOf(daemon);
    for (const [path, must] of cases) {
      await withChosen(daemon, { moved: path }, async () => {
        const { message } = await failureOf(createContainer(daemon, pod, SLEEP, { name: 'moved' }));
        assert.match(message, /NRI plugin 10-test: linux\.cgroups_path is /, path);
        assert.match(message, must, path);
      });
      await assertNothingNew(daemon, earlier);
    }
    await rmdir(directoryOf(busy));
    for (const each of [pod, foreign]) await removePod(daemon, each.id);
  },
  { skip: noNriPlugin },
);
