/** CheckpointPod and RestorePod: containers of one moment, which go on, and a pod that goes on from there; nothing half. */
// long: 40 s
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { ContainerState } from '../../api/cri/enums.ts';
import type { ContainerConfig, Init, RestorePodRequest } from '../../api/cri/runtime.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { countsOn } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import {
  bothCountOn,
  checkpointed,
  counting,
  emptyPlace,
  freezerOf,
  idsOf,
  LIMIT,
  NAMES,
  nothingStays,
  restoreRequest,
  sandboxIds,
} from '../support/pod-checkpoints.ts';
import { containerStatus, createContainer, execOutput, failureOf, removePod, shell, until } from '../support/pods.ts';

const { path: criu, skip } = await findCriu();
const config = `[checkpoint]\ncriu = "${criu}"\n`;
const shared = sharedDaemon({ config, skip });

shared('the states of a pod are of one moment, and another pod goes on from there, with its shared memory and its own name', async (daemon) => {
  const { place, last } = await checkpointed(daemon);
  for (const entry of await readdir(place)) assert.equal((await stat(join(place, entry))).mode & 0o077, 0, entry);
  const before = (await execa('sh', ['-c', `cd ${place} && find . -type f | sort | xargs sha256sum`])).stdout;

  const { pod, request } = await restoreRequest(daemon, place);
  const answer = await daemon.runtime.restorePod(request, LIMIT);
  assert.deepEqual(answer.restoredContainers.map(({ name }) => name), NAMES); // prettier-ignore
  const ids = idsOf(answer);
  for (const id of ids) assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_CREATED);
  // No process of it has run: nothing has its ids in the kernel.
  for (const id of ids) assert.equal((await execa('sh', ['-c', `cat /proc/[0-9]*/cgroup 2>/dev/null | grep -c ${id} || true`])).stdout, '0');
  assert.deepEqual(await daemon.runtime.restorePod(request, LIMIT), answer, 'asked again, it is the same');
  assert.equal((await execa('sh', ['-c', `cd ${place} && find . -type f | sort | xargs sha256sum`])).stdout, before);
  await remove(place);

  const started = performance.now();
  // In the other order than they were written.
  for (const id of ids.toReversed()) await daemon.runtime.startContainer({ containerId: id });
  console.log(`start of two containers: ${Math.round(performance.now() - started)} ms`);
  for (const id of ids) await countsOn(daemon, id, last);
  for (const id of ids) assert.equal(await execOutput(daemon, id, ['hostname']), pod.config.hostname);
  const again = await failureOf(daemon.runtime.restorePod(request, LIMIT));
  assert.equal(again.code, 'INVALID_ARGUMENT'); // the checkpoint is gone
  await daemon.kill9();
  await daemon.start();
  await bothCountOn(daemon, { ids });
  await removePod(daemon, answer.podSandboxId);
}); // prettier-ignore

/** Whether both containers are frozen when the daemon dies there. */
const MARKS: readonly (readonly [mark: string, isFrozen: boolean])[] = [
  ['pod-checkpoint.begun', false],
  ['pod-checkpoint.frozen', true],
  ['checkpoint.memory', true],
  ['pod-checkpoint.captured', true],
  ['pod-checkpoint.dumped', false],
  ['pod-checkpoint.finished', false],
];

e2eTest(
  "kill -9 at every mark of a pod's checkpoint: all are frozen together, all count on, and nothing half stays",
  async (daemon) => {
    const both = await counting(daemon);
    const pids: number[] = [];
    for (const id of both.ids) pids.push(await pidOf(daemon, id));
    for (const [mark, isFrozen] of MARKS) {
      const place = await emptyPlace(daemon);
      await daemon.restart({ PODWRIGHT_KILL_AT: mark });
      await failureOf(daemon.runtime.checkpointPod({ podSandboxId: both.pod.id, outputPath: place, containerIds: both.ids }, LIMIT));
      await daemon.ended();
      for (const pid of pids) assert.equal(await freezerOf(pid), isFrozen ? 'FROZEN' : 'THAWED', mark);
      await daemon.start();
      await bothCountOn(daemon, both);
      if (mark === 'pod-checkpoint.finished') assert.deepEqual((await readdir(place)).toSorted(), [...both.ids, 'pod.json'].toSorted());
      else await nothingStays(daemon, both, place);
      await remove(place);
    }
  },
  { config, skip },
);

test('a deadline, a kill -9 and a stop of the pod end its checkpoint while it is frozen, and nothing stays so', { skip }, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-criu-'));
  context.after(async () => remove(directory));
  const slow = join(directory, 'criu');
  await writeFile(slow, `#!/bin/sh\n[ "$1" = swrk ] && sleep 100\nexec ${criu} "$@"\n`);
  await chmod(slow, 0o755);
  const daemon = await TestDaemon.start({ config: `[checkpoint]\ncriu = "${slow}"\n` });
  try {
    const both = await counting(daemon);
    const place = await emptyPlace(daemon);
    const ask = async (timeoutMs: number): Promise<unknown> =>
      daemon.runtime.checkpointPod({ podSandboxId: both.pod.id, outputPath: place, containerIds: both.ids }, { timeoutMs });
    const frozen = async (): Promise<void> => {
      for (const id of both.ids) {
        const pid = await pidOf(daemon, id);
        await until('the container is frozen', async () => (await freezerOf(pid)) === 'FROZEN');
      }
    };
    const late = failureOf(ask(4000));
    await frozen();
    assert.equal((await late).code, 'DEADLINE_EXCEEDED');
    await bothCountOn(daemon, both);
    await until('nothing stays', async () => (await readdir(place)).length === 0);
    await nothingStays(daemon, both, place);

    const cut = failureOf(ask(60_000));
    await frozen();
    await daemon.kill9();
    await cut;
    await daemon.start();
    await bothCountOn(daemon, both);
    await nothingStays(daemon, both, place);

    const stopped = failureOf(ask(60_000));
    await frozen();
    const started = Date.now();
    await daemon.runtime.stopPodSandbox({ podSandboxId: both.pod.id });
    assert.ok(Date.now() - started < 20_000);
    await stopped;
    await nothingStays(daemon, both, place);
    await removePod(daemon, both.pod.id);
  } finally {
    await daemon.destroy();
  }
}); // prettier-ignore

shared('a checkpoint of a pod that must not be is refused by its field, and nothing is written', async (daemon) => {
  const both = await counting(daemon);
  const { pod, ids } = both;
  const other = await counting(daemon);
  const place = await emptyPlace(daemon);
  const created = await createContainer(daemon, pod, shell('true'), { name: 'created' });
  const ask = async (change: object, limit: object = LIMIT): Promise<string> => {
    const request = { podSandboxId: pod.id, outputPath: place, containerIds: ids, ...change };
    const { code, message } = await failureOf(daemon.runtime.checkpointPod(request, limit));
    return `${code}: ${message}`;
  };
  assert.match(await ask({}, {}), /INVALID_ARGUMENT: .*no deadline, must have one/);
  for (const outputPath of ['', 'relative', `${place}/`, `${place}/../x`, `${place}/none`, '/etc/hostname'])
    assert.match(await ask({ outputPath }), /INVALID_ARGUMENT: .*output_path/, outputPath);
  assert.match(await ask({ options: { 'leave-stopped': 'x' } }), /INVALID_ARGUMENT: .*options has "leave-stopped"/);
  assert.match(await ask({ podSandboxId: 'f'.repeat(64) }), /NOT_FOUND/);
  assert.match(await ask({ containerIds: [] }), /INVALID_ARGUMENT: .*container_ids is empty/);
  assert.match(await ask({ containerIds: [...ids, ids[0]] }), /INVALID_ARGUMENT: .*container_ids has .* twice/);
  assert.match(await ask({ containerIds: [...ids, other.ids[0]] }), /INVALID_ARGUMENT: .*is not of pod sandbox/);
  assert.match(await ask({ containerIds: [...ids, 'f'.repeat(64)] }), /NOT_FOUND/);
  assert.match(await ask({ containerIds: [...ids, created] }), /FAILED_PRECONDITION: .*it is Created, must be Running/);
  await nothingStays(daemon, both, place);
  await writeFile(join(place, 'there'), 'before');
  assert.match(await ask({}), /INVALID_ARGUMENT: .*is not empty, must be/);
  assert.deepEqual(await readdir(place), ['there']);
  await remove(join(place, 'there'));

  // Objects of System V IPC are the pod's, and would be restored once for each container.
  await execa('nsenter', ['-t', String(await pidOf(daemon, ids[0] ?? '')), '-i', 'ipcmk', '-M', '4096']);
  assert.match(await ask({}), /FAILED_PRECONDITION: .*share System V IPC objects/);
  await nothingStays(daemon, both, place);
  await bothCountOn(daemon, both);
  await daemon.runtime.checkpointPod({ podSandboxId: pod.id, outputPath: place, containerIds: ids.slice(0, 1) }, LIMIT);
  await remove(place);
});

shared('a restore that is not of its checkpoint is refused by its field, and nothing is made', async (daemon) => {
  const { place } = await checkpointed(daemon);
  const ask = async (change: Init<RestorePodRequest>, of: Init<ContainerConfig> = {}, limit: object = LIMIT): Promise<string> => {
    const { request } = await restoreRequest(daemon, place, of);
    const { code, message } = await failureOf(daemon.runtime.restorePod({ ...request, ...change }, limit));
    return `${code}: ${message}`;
  };
  const configs = (await restoreRequest(daemon, place)).request.containerConfigs ?? [];
  assert.match(await ask({}, {}, {}), /INVALID_ARGUMENT: .*no deadline, must have one/);
  for (const checkpointPath of ['', 'relative', `${place}/..`]) assert.match(await ask({ checkpointPath }), /INVALID_ARGUMENT: .*checkpoint_path is/);
  for (const checkpointPath of [`${place}/none`, '/etc', '/etc/hostname']) assert.match(await ask({ checkpointPath }), /INVALID_ARGUMENT: .*has no checkpoint of a pod/);
  assert.match(await ask({ options: { fast: 'yes' } }), /INVALID_ARGUMENT: .*options has "fast"/);
  assert.match(await ask({ config: undefined }), /INVALID_ARGUMENT: .*config is missing/);
  assert.match(await ask({ runtimeHandler: 'none' }), /INVALID_ARGUMENT: runtime_handler is "none"|INVALID_ARGUMENT: .*runtime_handler is "none"/);
  assert.match(await ask({ containerConfigs: [] }), /INVALID_ARGUMENT: .*container_configs is empty/);
  assert.match(await ask({ containerConfigs: configs.slice(1) }), /INVALID_ARGUMENT: .*container_configs are of two, must be of .*one, two/);
  assert.match(await ask({ containerConfigs: [...configs, ...configs] }), /INVALID_ARGUMENT: .*names "one" twice/);
  assert.match(await ask({}, { metadata: { name: '', attempt: 0 } }), /INVALID_ARGUMENT: .*metadata.name is empty/);
  assert.match(await ask({}, { command: ['other'] }), /INVALID_ARGUMENT: .*container_configs\[0\].command is not what/);
  assert.match(await ask({}, { args: ['other'] }), /INVALID_ARGUMENT: .*container_configs\[0\].args is not what/);
  assert.match(await ask({}, { workingDir: '/tmp' }), /INVALID_ARGUMENT: .*container_configs\[0\].working_dir is not what/);
  assert.match(await ask({}, { envs: [] }), /INVALID_ARGUMENT: .*container_configs\[0\].envs is not what/);
  assert.match(await ask({}, { linux: { securityContext: { runAsUser: { value: 7n } } } }), /INVALID_ARGUMENT: .*security_context is not what/);
  assert.match(await ask({}, { image: { image: 'localhost/none:1' } }), /NOT_FOUND: .*container_configs\[0\].image localhost\/none:1 is not present/);
  assert.match(await ask({}, { mounts: [] }), /INVALID_ARGUMENT: .*config.mounts lacks/);
  assert.deepEqual(await sandboxIds(daemon), []);

  const manifest = join(place, 'pod.json');
  const text = await readFile(manifest, 'utf8');
  await writeFile(manifest, text.replace(/"runtime": "[^"]*"/, '"runtime": "other"'));
  assert.match(await ask({}), /FAILED_PRECONDITION: .*the checkpoint is one of other,/);
  await writeFile(manifest, text.replaceAll(/"directory": "[0-9a-f]{64}"/g, '"directory": "../.."'));
  assert.match(await ask({}), /INVALID_ARGUMENT: .*directory: must be the id of a container/);
  await remove(manifest);
  await execa('ln', ['-s', '/etc/shadow', manifest]);
  assert.match(await ask({}), /INVALID_ARGUMENT: .*is no regular file/);
  await remove(manifest);
  await writeFile(manifest, text);
  // What is found out when the pod is there already takes the pod away again.
  const [first = ''] = (await readdir(place)).filter((name) => name !== 'pod.json');
  await remove(join(place, first, 'checkpoint', 'inventory.img'));
  assert.match(await ask({}), /INVALID_ARGUMENT: .*has no inventory.img/);
  assert.deepEqual(await sandboxIds(daemon), []);
  await remove(place);
}); // prettier-ignore
