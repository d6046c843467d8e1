/** What NRI plugins hear and adjust of pods and containers that are restored. */
// long: 40 s
import assert from 'node:assert/strict';
import { remove } from 'fs-extra/esm';
import { counts, countsOn } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { noNriPlugin, NriPlugin } from '../support/nri-plugin.ts';
import type { NriScript } from '../support/nri-plugin.ts';
import { ALONE, checkpointed, idsOf, LIMIT, restoreRequest } from '../support/pod-checkpoints.ts';
import { containerStatus, execOutput, failureOf, removePod } from '../support/pods.ts';

const { path: criu, skip } = await findCriu();
const shared = sharedDaemon({ config: `[checkpoint]\ncriu = "${criu}"\n`, skip: skip === false ? noNriPlugin : skip });
const events: NriScript['events'] = [
  ...(['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox', 'CreateContainer', 'PostCreateContainer'] as const),
  ...(['StartContainer', 'PostStartContainer', 'StopContainer', 'RemoveContainer'] as const),
];

shared('a pod that is restored is told like any other, and has the limits that a plugin gives it', async (daemon) => {
  const { place, last } = await checkpointed(daemon, ALONE);
  const adjust = { linux: { resources: { cpu: { shares: { value: 77 } } } }, env: [{ key: 'FROM_PLUGIN', value: 'yes' }] };
  const plugin = await NriPlugin.start(daemon.nriSocket, {
    events,
    rules: [{ call: 'CreateContainer', container: 'one', answer: { adjust } }],
  });
  try {
    const { pod, request } = await restoreRequest(daemon, place, {}, ALONE);
    const answer = await daemon.runtime.restorePod(request, LIMIT);
    const [one = '', two = ''] = idsOf(answer);
    for (const containerId of [one, two]) await daemon.runtime.startContainer({ containerId });
    await countsOn(daemon, one, last);
    assert.ok((await counts(daemon, two)).length > 0);
    assert.equal((await containerStatus(daemon, one)).resources?.linux?.cpuShares, 77n);
    assert.equal(await execOutput(daemon, one, ['sh', '-c', 'echo $FROM_PLUGIN']), 'yes');
    await removePod(daemon, answer.podSandboxId);

    const name = pod.config.metadata?.name ?? '';
    const story = await plugin.story(name);
    assert.deepStrictEqual(story.slice(0, 9), [
      `RunPodSandbox ${name}`,
      ...['one', 'two'].flatMap((each) => [`CreateContainer ${each}`, `PostCreateContainer ${each}`]),
      ...['one', 'two'].flatMap((each) => [`StartContainer ${each}`, `PostStartContainer ${each}`]),
    ]);
    assert.deepStrictEqual(story.slice(9, 11).sort(), ['StopContainer one', 'StopContainer two']);
    assert.deepStrictEqual([story[11], story[14], story.length], [`StopPodSandbox ${name}`, `RemovePodSandbox ${name}`, 15]);
  } finally {
    await plugin.stop();
    await remove(place);
  }
});

shared('a pod one of whose containers a plugin refuses is not restored, and is told to be gone', async (daemon) => {
  const { place } = await checkpointed(daemon, ALONE);
  const plugin = await NriPlugin.start(daemon.nriSocket, {
    events,
    rules: [{ call: 'CreateContainer', container: 'two', error: 'not here' }],
  });
  try {
    const { pod, request } = await restoreRequest(daemon, place, {}, ALONE);
    assert.match((await failureOf(daemon.runtime.restorePod(request, LIMIT))).message, /10-test.*not here/);
    assert.deepStrictEqual((await daemon.runtime.listPodSandbox({})).items, []);
    const name = pod.config.metadata?.name ?? '';
    assert.deepStrictEqual(await plugin.story(name), [
      ...[`RunPodSandbox ${name}`, 'CreateContainer one', 'PostCreateContainer one'],
      ...['CreateContainer two', 'StopContainer two', 'RemoveContainer two'],
      ...['StopContainer one', `StopPodSandbox ${name}`, 'RemoveContainer one', `RemovePodSandbox ${name}`],
    ]);
  } finally {
    await plugin.stop();
    await remove(place);
  }
});
