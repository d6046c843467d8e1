/** RestorePod: nobody sees half a pod, and kill -9 at any mark of it, or of the start of its containers, leaves nothing. */
// long: 120 s
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { ContainerEventType } from '../../api/cri/enums.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { counts, countsOn } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { ALONE, checkpointed, freezerOf, idsOf, LIMIT, NAMES, restoreRequest, sandboxIds } from '../support/pod-checkpoints.ts';
import { execOutput, failureOf, removePod, until, waitForExit } from '../support/pods.ts';

const { path: criu, skip } = await findCriu();
const config = `[checkpoint]\ncriu = "${criu}"\n`;
const shared = sharedDaemon({ config, skip });

const RESTORE_MARKS = [
  'sandbox.recorded',
  'sandbox.pinned',
  'pod-restore.sandbox',
  'container.recorded',
  'container.rootfs.mounted',
  'pod-restore.container',
];

shared('kill -9 at every mark of a restore, and a deadline: nothing of the pod is left; a finished one is there for the retry', async (daemon) => {
  const { place, last } = await checkpointed(daemon);
  for (const mark of RESTORE_MARKS) {
    const { request } = await restoreRequest(daemon, place);
    await daemon.restart({ PODWRIGHT_KILL_AT: mark });
    await failureOf(daemon.runtime.restorePod(request, LIMIT));
    await daemon.ended();
    await daemon.start();
    await until(`nothing is left after ${mark}`, async () => (await sandboxIds(daemon)).length === 0);
    assert.deepEqual((await daemon.runtime.listContainers({})).containers, [], mark);
  }
  const hasty = await restoreRequest(daemon, place);
  assert.equal((await failureOf(daemon.runtime.restorePod(hasty.request, { timeoutMs: 60 }))).code, 'DEADLINE_EXCEEDED');
  await until('nothing is left after a deadline', async () => (await sandboxIds(daemon)).length === 0);

  const { request } = await restoreRequest(daemon, place);
  await daemon.restart({ PODWRIGHT_KILL_AT: 'pod-restore.finished' });
  await failureOf(daemon.runtime.restorePod(request, LIMIT));
  await daemon.ended();
  await daemon.start();
  const answer = await daemon.runtime.restorePod(request, LIMIT);
  assert.deepEqual(await sandboxIds(daemon), [answer.podSandboxId]);
  for (const id of idsOf(answer)) await daemon.runtime.startContainer({ containerId: id });
  for (const id of idsOf(answer)) await countsOn(daemon, id, last);
  const again = await failureOf(daemon.runtime.restorePod(request, LIMIT));
  assert.match(`${again.code}: ${again.message}`, /ALREADY_EXISTS: .*is not as it was restored/);
  assert.ok((await counts(daemon, idsOf(answer)[0] ?? '')).length > last, 'and is left alone');
  await remove(place);
}); // prettier-ignore

shared('while a pod is restored nobody sees it or a container of it, and then all of it at once', async (daemon) => {
  const { place } = await checkpointed(daemon);
  const { request } = await restoreRequest(daemon, place);
  const ending = new AbortController();
  const events: string[] = [];
  const listening = (async (): Promise<void> => {
    for await (const { containerId, containerEventType, containersStatuses } of daemon.runtime.getContainerEvents(
      {},
      { signal: ending.signal },
    ))
      events.push(`${containerId} ${containerEventType} ${containersStatuses.length}`);
  })().catch(() => undefined);
  const seen = new Set<string>();
  const look = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const [{ items }, { containers }] = [await daemon.runtime.listPodSandbox({}), await daemon.runtime.listContainers({})];
      // A look that begins before the end of the restore may fall on both sides of it.
      if (!(items.length === 0 && containers.length === NAMES.length)) seen.add(`${items.length} pods, ${containers.length} containers`);
    }
  };
  const looking = [look(), look()];
  const answer = await daemon.runtime.restorePod(request, LIMIT);
  assert.deepEqual(await sandboxIds(daemon), [answer.podSandboxId]);
  await until('the events have come', async () => Promise.resolve(events.length >= 2 + NAMES.length));
  ending.abort();
  await Promise.all([...looking, listening]);
  assert.deepEqual([...seen].toSorted(), ['0 pods, 0 containers', '1 pods, 2 containers']);
  const [CREATED, STARTED] = [ContainerEventType.CONTAINER_CREATED_EVENT, ContainerEventType.CONTAINER_STARTED_EVENT];
  const ofContainers = idsOf(answer).map((id) => `${id} ${CREATED} 2`);
  assert.deepEqual(events.slice(0, 2), [`${answer.podSandboxId} ${CREATED} 2`, `${answer.podSandboxId} ${STARTED} 2`]);
  assert.deepEqual(events.slice(2).toSorted(), ofContainers.toSorted());
  await remove(place);
});

/** The marks that the start of a restored container passes. */
async function marksOfStart(daemon: TestDaemon, place: string): Promise<string[]> {
  const log = join(daemon.directory, 'marks');
  await daemon.restart({ PODWRIGHT_STAGE_LOG: log });
  const { request } = await restoreRequest(daemon, place, {}, ALONE);
  const answer = await daemon.runtime.restorePod(request, LIMIT);
  await remove(log);
  await daemon.runtime.startContainer({ containerId: idsOf(answer)[0] ?? '' });
  const marks = (await readFile(log, 'utf8')).split('\n').filter((mark) => mark !== '');
  await removePod(daemon, answer.podSandboxId);
  await remove(log);
  return [...new Set(marks)];
}

e2eTest(
  'kill -9 at every mark of the start of a restored container: it goes on or has ended unknown, the other one goes on, nothing is left',
  async (daemon) => {
    const { place, last } = await checkpointed(daemon, ALONE);
    const marks = await marksOfStart(daemon, place);
    for (const mark of [
      'container.start-hooked',
      'container.starting',
      'monitor.spawned',
      'monitor.answered',
      'container.started',
      'container.running',
    ])
      assert.ok(marks.includes(mark), `the start does not pass ${mark}, it passes ${marks.join(', ')}`);
    const before = await inventoryOf(daemon);
    for (const mark of marks) {
      const { pod, request } = await restoreRequest(daemon, place, {}, ALONE);
      await daemon.restart();
      const answer = await daemon.runtime.restorePod(request, LIMIT);
      const [other = '', killed = ''] = idsOf(answer);
      await daemon.runtime.startContainer({ containerId: other });
      await daemon.restart({ PODWRIGHT_KILL_AT: mark });
      await failureOf(daemon.runtime.startContainer({ containerId: killed }));
      await daemon.ended();
      await daemon.start();
      // Before its intent is on record nothing of a start has happened.
      if (mark === 'container.start-hooked') await daemon.runtime.startContainer({ containerId: killed });
      if (mark === 'container.running' || mark === 'container.start-hooked') await countsOn(daemon, killed, last);
      else {
        const { exitCode, reason } = await waitForExit(daemon, killed);
        assert.deepEqual([exitCode, reason], [255, 'Unknown'], mark);
        await until(`nothing of it is in a cgroup after ${mark}`, async () => (await execa('sh', ['-c', `cat /proc/[0-9]*/cgroup 2>/dev/null | grep -c ${killed} || true`])).stdout === '0', 5000); // prettier-ignore
      }
      assert.equal(await freezerOf(await pidOf(daemon, other)), 'THAWED', mark);
      await countsOn(daemon, other, last);
      assert.equal(await execOutput(daemon, other, ['hostname']), pod.config.hostname, mark);
      await removePod(daemon, answer.podSandboxId);
      await assertNothingNew(daemon, before);
    }
    await remove(place);
  },
  { config, skip, timeoutMs: 360_000 },
);
