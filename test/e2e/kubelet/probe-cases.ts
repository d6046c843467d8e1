import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1ContainerStateTerminated } from '@kubernetes/client-node';
import type { Case } from './cases.ts';
import { container, pod } from './pods.ts';
import type { PodStatus } from './pods.ts';
import { HTTPD, SLEEP } from './pods.ts';
import { containerOf } from './world.ts';
import type { World } from './world.ts';

/** Probes, and what is started again; each case has pods of its own. */
export const PROBE_CASES: readonly Case[] = [
  { name: 'exec liveness probe restarts', run: execLiveness },
  { name: 'http liveness probe restarts', run: httpLiveness },
  { name: 'exec and http readiness probes follow the container', run: readiness },
  { name: 'a crashing container is restarted with back-off', run: backOff },
];

async function execLiveness(world: World): Promise<void> {
  const probe = { exec: { command: ['cat', '/tmp/alive'] }, periodSeconds: 1, failureThreshold: 2, timeoutSeconds: 10 };
  const main = container('main', `touch /tmp/alive; ${SLEEP}`, { livenessProbe: probe });
  await world.withPod(pod('live-exec', [main]), async (name) => {
    const before = await world.untilReady(name);
    await sleep(4000);
    assert.equal(containerOf((await world.kubelet.pods()).find((one) => one.name === name) ?? before).restartCount, 0);
    await world.run(name, 'main', 'rm', '/tmp/alive');
    const after = await world.untilPod(name, 'restarted once', (one) => one.ready && containerOf(one).restartCount === 1);
    assert.notEqual(containerOf(after).containerID, containerOf(before).containerID);
    const last = containerOf(after).lastState.terminated;
    assert.deepEqual([last?.exitCode, last?.reason], [0, 'Completed']);
    assert.equal(after.podIP, before.podIP, 'a restarted container must keep its pod');
  });
}

async function httpLiveness(world: World): Promise<void> {
  const httpGet = { path: '/', port: 8080 };
  const main = container('main', HTTPD, {
    livenessProbe: { httpGet, periodSeconds: 1, failureThreshold: 3, timeoutSeconds: 5, initialDelaySeconds: 2 },
    // Ready means here that the page is there to be removed.
    readinessProbe: { httpGet, periodSeconds: 1, timeoutSeconds: 5 },
  });
  await world.withPod(pod('live-http', [main]), async (name) => {
    await world.untilReady(name);
    await world.run(name, 'main', 'rm', '/tmp/www/index.html');
    const after = await world.untilPod(name, 'restarted', (one) => one.ready && containerOf(one).restartCount === 1);
    // busybox's httpd ends by SIGTERM, or as process 1 ignores it and is killed.
    assert.ok([143, 137].includes(containerOf(after).lastState.terminated?.exitCode ?? 0), JSON.stringify(containerOf(after).lastState));
  });
}

async function readiness(world: World): Promise<void> {
  const exec = container('exec', SLEEP, {
    readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 },
  });
  const http = container('http', HTTPD, {
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 5 },
  });
  await world.withPod(pod('readiness', [exec, http]), async (name) => {
    const are = (one: PodStatus): string => `exec ${containerOf(one, 'exec').ready} http ${containerOf(one, 'http').ready}`;
    const until = (wanted: string): Promise<PodStatus> =>
      world.untilPod(name, wanted, (one) => one.containers.length === 2 && are(one) === wanted);
    await world.untilPod(name, 'running', (one) => one.containers.length === 2 && one.containers.every(({ state }) => state.running));
    await until('exec false http false');
    await world.run(name, 'exec', 'touch', '/tmp/ready');
    await until('exec true http false');
    await world.run(name, 'http', 'touch', '/tmp/www/ready');
    const ready = await until('exec true http true');
    assert.equal((await world.untilReady(name)).uid, ready.uid);
    await world.run(name, 'exec', 'rm', '/tmp/ready');
    const unready = await until('exec false http true');
    assert.deepEqual([unready.ready, ...unready.containers.map(({ restartCount }) => restartCount)], [false, 0, 0]);
  });
}

/**
 * The waiting state CrashLoopBackOff cannot be waited for in /pods: the kubelet writes it only when it looks at the pod
 * within the pause, and 1.37 looks again only when the pause is over (completeWork). Its log names each pause.
 */
async function backOff(world: World): Promise<void> {
  await world.withPod(pod('crash', [container('main', 'echo crashing; sleep 0.5; exit 3')]), async (name) => {
    const counts: number[] = [];
    const addresses = new Set<string>();
    const ends = new Map<string | undefined, V1ContainerStateTerminated>();
    const third = await world.untilPod(name, 'restarted 3 times', (one) => {
      const [view] = one.containers;
      if (view === undefined) return false;
      if (counts.at(-1) !== view.restartCount) counts.push(view.restartCount);
      if (one.podIP !== '') addresses.add(one.podIP);
      for (const { terminated } of [view.lastState, view.state]) if (terminated !== undefined) ends.set(terminated.containerID, terminated);
      return view.restartCount >= 3 && ends.size >= 3;
    });
    assert.deepEqual(counts, [0, 1, 2, 3].slice(-counts.length), 'the restart count must go up by one each time');
    assert.ok(counts.length >= 3, `restart counts seen: ${counts.join(', ')}`);
    assert.equal(addresses.size, 1, `a restarted container must keep its pod: ${[...addresses].join(', ')}`);
    assert.equal((await world.sandboxesOf(name)).length, 1);
    const inOrder = [...ends.values()].toSorted((a, b) => Number(a.startedAt) - Number(b.startedAt));
    for (const end of inOrder) assert.deepEqual([end.exitCode, end.reason], [3, 'Error']);
    const starts = inOrder.map(({ startedAt }) => Number(startedAt));
    const [first = 0, second = 0] = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
    assert.ok(second > first && second >= 9000, `the pauses must grow: ${first} ms, ${second} ms`);
    const pauses = [...(await readFile(world.kubelet.logFile, 'utf8')).matchAll(backOffOf(third.uid))].map(([, pause]) => pause);
    assert.deepEqual([...new Set(pauses)].slice(0, 2), ['10s', '20s'], 'the kubelet must name each pause CrashLoopBackOff');
  });
}

/** A line of the kubelet's log for each pause; its first group is how long. */
function backOffOf(uid: string): RegExp {
  return new RegExp(`with CrashLoopBackOff: .*back-off (\\S+) restarting failed container=main pod=crash-[^ ]*\\(${uid}\\)`, 'g');
}
