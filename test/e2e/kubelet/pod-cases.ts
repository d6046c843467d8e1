import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Container, V1EnvVar, V1LifecycleHandler, V1VolumeMount } from '@kubernetes/client-node';
import { linesOf, readLog } from '../../support/pods.ts';
import { IMAGES } from '../../support/test-image.ts';
import type { Case } from './cases.ts';
import { container, HTTPD, pod, SLEEP } from './pods.ts';
import type { PodStatus } from './pods.ts';
import { containerOf, hierarchies, idOf } from './world.ts';
import type { World } from './world.ts';

const mount = (name: string, mountPath: string, rest: Partial<V1VolumeMount> = {}): V1VolumeMount => ({ name, mountPath, ...rest });

/** Each with pods of its own; they run all at once. */
export const POD_CASES: readonly Case[] = [
  { name: 'a pod runs', run: podRuns },
  { name: 'init containers and a sidecar run in order', run: initContainers },
  { name: 'termination messages, exit codes and reasons', run: terminationMessages },
  { name: 'a program that is not there is named', run: cannotStart },
  { name: 'out of memory is named', run: outOfMemory },
  { name: 'env from config, emptyDir, hostPath and projected volumes', run: configuration },
  { name: 'image volumes, whole and a sub path', run: imageVolumes },
  { name: 'resource limits are in the cgroup', run: resourceLimits },
  { name: "logs at the kubelet's paths", run: logs },
  { name: 'log rotation loses no line', run: logRotation },
  { name: 'hooks, grace period and deletion of the manifest', run: deletion },
  { name: 'a changed manifest replaces the pod', run: replacement },
];

async function podRuns(world: World): Promise<void> {
  await world.withPod(pod('runs', [container('main', HTTPD), container('second', SLEEP)]), async (name) => {
    const running = await world.untilReady(name);
    assert.equal(running.phase, 'Running');
    assert.deepEqual(
      running.containers.map((view) => [view.name, view.restartCount]),
      [
        ['main', 0],
        ['second', 0],
      ],
    );
    for (const view of running.containers) idOf(view);
    assert.equal(await (await fetch(`http://${running.podIP}:8080/`)).text(), 'page\n');
    assert.match(await world.run(name, 'second', 'wget', '-qO-', 'http://127.0.0.1:8080/'), /page/);
  });
}

async function initContainers(world: World): Promise<void> {
  const data = mount('data', '/data');
  const init = container('first', 'echo made by init > /data/file; sleep 1', { volumeMounts: [data] });
  const sidecar = container('sidecar', `echo yes > /data/sidecar; ${SLEEP}`, { volumeMounts: [data], restartPolicy: 'Always' });
  const main = container('main', `cat /data/file /data/sidecar > /data/seen; ${SLEEP}`, { volumeMounts: [data] });
  const volumes = [{ name: 'data', emptyDir: {} }];
  const manifest = pod('init', [main], { initContainers: [init, sidecar], volumes });
  await world.withPod(manifest, async (name) => {
    const ready = await world.untilReady(name);
    const first = containerOf(ready, 'first').state.terminated;
    assert.deepEqual([first?.exitCode, first?.reason], [0, 'Completed']);
    const startedAt = containerOf(ready, 'main').state.running?.startedAt;
    assert.ok(
      Number(startedAt) >= Number(first?.finishedAt),
      `main started at ${String(startedAt)}, init ended at ${String(first?.finishedAt)}`,
    );
    assert.ok(containerOf(ready, 'sidecar').state.running, 'the sidecar must run on');
    assert.match(await world.run(name, 'main', 'cat', '/data/seen'), /made by init\s+yes/);
  });
  const failing = container('first', 'echo init fails; exit 4');
  await world.withPod(pod('init-fails', [main], { initContainers: [failing], restartPolicy: 'Never', volumes }), async (name) => {
    const failed = await world.untilPod(name, 'Failed', (one) => one.phase === 'Failed');
    assert.equal(containerOf(failed, 'first').state.terminated?.exitCode, 4);
    assert.equal(containerOf(failed, 'main').containerID, '');
  });
}

async function terminationMessages(world: World): Promise<void> {
  const containers: V1Container[] = [
    container('file', 'printf "the last words" > /dev/termination-log'),
    container('failed', 'printf "why it failed" > /dev/termination-log; exit 7'),
    container('from-log', 'echo first line; echo last line; exit 1', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
  ];
  await world.withPod(pod('message', containers, { restartPolicy: 'Never' }), async (name) => {
    const ended = await world.untilPod(name, 'Failed', (one) => one.phase === 'Failed');
    const of = (which: string): readonly unknown[] => {
      const { terminated } = containerOf(ended, which).state;
      return [terminated?.exitCode, terminated?.reason, terminated?.message];
    };
    assert.deepEqual(of('file'), [0, 'Completed', 'the last words']);
    assert.deepEqual(of('failed'), [7, 'Error', 'why it failed']);
    assert.deepEqual(of('from-log'), [1, 'Error', 'first line\nlast line\n']);
  });
}

async function cannotStart(world: World): Promise<void> {
  const missing = container('main', '', { command: ['/no/such/program'] });
  await world.withPod(pod('cannot-start', [missing]), async (name) => {
    const waiting = await world.untilPod(name, 'waiting', (one) => one.containers[0]?.state.waiting?.reason === 'CreateContainerError');
    assert.match(containerOf(waiting).state.waiting?.message ?? '', /\/no\/such\/program: no such file or directory/);
    const { containers } = await world.daemon.runtime.listContainers({
      filter: { labelSelector: { 'io.kubernetes.pod.uid': waiting.uid } },
    });
    assert.deepEqual(containers, [], 'a container that was not created must not be listed');
  });
}

async function outOfMemory(world: World): Promise<void> {
  const main = container('main', 'sleep 1; exec tail /dev/zero', { resources: { limits: { memory: '20Mi' } } });
  await world.withPod(pod('oom', [main], { restartPolicy: 'Never' }), async (name) => {
    const ended = await world.untilPod(name, 'Failed', (one) => one.phase === 'Failed');
    const { terminated } = containerOf(ended).state;
    assert.deepEqual([terminated?.exitCode, terminated?.reason], [137, 'OOMKilled']);
  });
}

async function configuration(world: World): Promise<void> {
  const host = join(world.hostDirectory, 'configuration');
  await mkdir(host);
  await writeFile(join(host, 'file'), 'from the host');
  const field = (name: string, fieldPath: string): V1EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const env = [
    { name: 'PLAIN', value: 'a value with $ and "quotes"' },
    field('POD_NAME', 'metadata.name'),
    field('POD_IP', 'status.podIP'),
    { name: 'MEMORY', valueFrom: { resourceFieldRef: { containerName: 'main', resource: 'limits.memory' } } },
  ];
  const volumeMounts = [
    mount('disk', '/disk'),
    mount('disk', '/sub', { subPath: 'below' }),
    mount('memory', '/memory'),
    mount('host', '/host', { readOnly: true }),
    mount('host-file', '/one-file'),
    mount('info', '/info'),
  ];
  const volumes = [
    { name: 'disk', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
    { name: 'host', hostPath: { path: host, type: 'Directory' } },
    { name: 'host-file', hostPath: { path: join(host, 'file'), type: 'File' } },
    { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  ];
  const main = container('main', `echo disk > /disk/a; echo sub > /sub/b; echo memory > /memory/c; ${SLEEP}`, {
    env,
    volumeMounts,
    resources: { limits: { memory: '64Mi', cpu: '1' } },
  });
  const reader = container('reader', SLEEP, { volumeMounts: [mount('disk', '/disk'), mount('memory', '/memory')] });
  await world.withPod(pod('config', [main, reader], { volumes }), async (name) => {
    const ready = await world.untilReady(name);
    const environment = (await world.run(name, 'main', 'env')).split('\n');
    const wanted = [
      'PLAIN=a value with $ and "quotes"',
      'POD_NAME=config-podwright-test',
      `POD_IP=${ready.podIP}`,
      `MEMORY=${64 * 1024 ** 2}`,
    ];
    assert.deepEqual(
      wanted.filter((line) => !environment.includes(line)),
      [],
      environment.join('\n'),
    );
    const cat = (which: string, file: string): Promise<string> => world.run(name, which, 'cat', file);
    assert.equal((await cat('reader', '/disk/a')).trim(), 'disk');
    assert.equal((await cat('reader', '/disk/below/b')).trim(), 'sub');
    assert.equal((await cat('reader', '/memory/c')).trim(), 'memory');
    assert.match(await cat('reader', '/proc/mounts'), /^tmpfs \/memory tmpfs/m);
    assert.equal((await cat('main', '/host/file')).trim(), 'from the host');
    assert.equal((await cat('main', '/one-file')).trim(), 'from the host');
    assert.match(await cat('main', '/info/labels'), /app="config"/);
    await assert.rejects(world.run(name, 'main', 'touch', '/host/new'), /Read-only file system/);
    assert.match(await cat('main', '/etc/hosts'), new RegExp(`${ready.podIP.replaceAll('.', '\\.')}\\s+config-podwright-test`));
  });
}

async function imageVolumes(world: World): Promise<void> {
  const volumes = [{ name: 'model', image: { reference: IMAGES.busybox, pullPolicy: 'Never' } }];
  const volumeMounts = [mount('model', '/model', { readOnly: true }), mount('model', '/programs', { readOnly: true, subPath: 'bin' })];
  await world.withPod(pod('image-volume', [container('main', SLEEP, { volumeMounts })], { volumes }), async (name) => {
    await world.untilReady(name);
    assert.match(await world.run(name, 'main', '/model/bin/busybox', 'ls', '/programs'), /^busybox$/m);
    await assert.rejects(world.run(name, 'main', 'touch', '/model/file'), /Read-only file system/);
  });
}

async function resourceLimits(world: World): Promise<void> {
  const limited = container('limited', SLEEP, {
    resources: { limits: { memory: '50Mi', cpu: '500m' }, requests: { memory: '30Mi', cpu: '250m' } },
  });
  await world.withPod(pod('limits', [limited]), async (name) => {
    const ready = await world.untilReady(name);
    assert.deepEqual(await world.limitsOf(containerOf(ready)), { memory: String(50 * 1024 ** 2), cpu: '50000 100000' });
    const [hierarchy = ''] = await hierarchies();
    const podCgroup = join('/sys/fs/cgroup', hierarchy, world.kubelet.cgroup, 'burstable', `pod${ready.uid}`);
    const file = hierarchy === '' ? 'memory.max' : 'memory.limit_in_bytes';
    assert.equal((await readFile(join(podCgroup, file), 'utf8')).trim(), String(50 * 1024 ** 2));
    assert.ok((await readdir(podCgroup)).includes(idOf(containerOf(ready))), 'the container must be in the cgroup that the kubelet made');
  });
}

async function logs(world: World): Promise<void> {
  const main = container('main', 'echo to stdout; sleep 0.3; echo to stderr >&2; sleep 0.3; printf "no newline"; exit 1');
  await world.withPod(pod('logs', [main]), async (name) => {
    const seen = await world.untilPod(name, 'restarted', (one) => (one.containers[0]?.restartCount ?? 0) >= 1);
    const folder = join(world.logDirectory(seen), 'main');
    const pieces = await readLog(join(folder, '0.log'));
    assert.deepEqual(
      pieces.map(({ stream, text }) => `${stream} ${text}`),
      ['stdout to stdout', 'stderr to stderr', 'stdout no newline'],
    );
    const links = (await readdir(world.kubelet.containerLogs)).filter((link) => link.startsWith('logs-podwright-test_default_main-'));
    const targets = await Promise.all(links.map((link) => readlink(join(world.kubelet.containerLogs, link))));
    assert.ok(targets.length >= 1 && targets.every((target) => target.startsWith(`${folder}/`)), `links: ${targets.join(' ')}`);
    assert.equal(await world.log(name, 'main', '?previous=true'), 'to stdout\nto stderr\nno newline');
  });
}

async function logRotation(world: World): Promise<void> {
  // 64 KiB at most by the kubelet's configuration; it looks every 3 s.
  const script =
    'i=0; while [ $i -lt 3000 ]; do echo "line $i of a log that is rotated, padded to a good length ........................"; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.4; done; touch /tmp/done;';
  await world.withPod(pod('rotation', [container('main', script + SLEEP)]), async (name) => {
    const ready = await world.untilReady(name);
    const folder = join(world.logDirectory(ready), 'main');
    await untilDone(() => world.run(name, 'main', 'ls', '/tmp/done'));
    const files = (await readdir(folder)).sort();
    assert.ok(files.length >= 3, `rotated at least twice: ${files.join(' ')}`);
    const numbers: number[] = [];
    for (const file of [...files.filter((one) => one !== '0.log'), '0.log']) {
      for (const line of linesOf(await readRotated(world, join(folder, file)))) numbers.push(Number(/^line (\d+) /.exec(line)?.[1]));
    }
    assert.deepEqual(
      numbers,
      Array.from({ length: 3000 }, (_, index) => index),
    );
    assert.equal(containerOf(await world.untilReady(name)).restartCount, 0);
  });
}

/** The kubelet compresses rotated logs but the youngest. */
async function readRotated(world: World, path: string): ReturnType<typeof readLog> {
  if (!path.endsWith('.gz')) return readLog(path);
  const { gunzipSync } = await import('node:zlib');
  const plain = join(world.hostDirectory, 'unpacked.log');
  await writeFile(plain, gunzipSync(await readFile(path)));
  return readLog(plain);
}

async function untilDone(check: () => Promise<unknown>): Promise<void> {
  for (let round = 0; ; round += 1) {
    try {
      await check();
      return;
    } catch (error) {
      if (round > 120) throw error;
      await sleep(500);
    }
  }
}

async function deletion(world: World): Promise<void> {
  const host = join(world.hostDirectory, 'deletion');
  await mkdir(host);
  const say = (word: string): V1LifecycleHandler => ({ exec: { command: ['sh', '-c', `echo ${word} >> /host/events`] } });
  const main = container('main', 'trap "sleep 1; echo terminated >> /host/events; exit 0" TERM; while :; do sleep 0.2; done', {
    lifecycle: { postStart: say('postStart'), preStop: say('preStop') },
    volumeMounts: [mount('host', '/host'), mount('memory', '/memory')],
  });
  const volumes = [
    { name: 'host', hostPath: { path: host } },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
  ];
  const manifest = pod('deleted', [main], { volumes, terminationGracePeriodSeconds: 30 });
  let seen: PodStatus | undefined;
  await world.withPod(manifest, async (name) => {
    seen = await world.untilReady(name);
  });
  assert.ok(seen);
  assert.deepEqual((await readFile(join(host, 'events'), 'utf8')).trim().split('\n'), ['postStart', 'preStop', 'terminated']);
  const { uid } = seen;
  await untilDone(async () => {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    assert.ok(!mounts.includes(uid), 'a mount of the pod is left');
    for (const hierarchy of await hierarchies()) {
      const left = await readdir(join('/sys/fs/cgroup', hierarchy, world.kubelet.cgroup, 'besteffort'));
      assert.ok(!left.includes(`pod${uid}`), `the cgroup of the pod is left in /sys/fs/cgroup/${hierarchy}`);
    }
    assert.ok(!(await readdir(join(world.kubelet.root, 'pods'))).includes(uid), "the pod's directory is left");
  });
}

async function replacement(world: World): Promise<void> {
  const say = (word: string): ReturnType<typeof pod> => pod('replaced', [container('main', `echo ${word}; ${SLEEP}`)]);
  await world.withPod(say('first'), async (name) => {
    const first = await world.untilReady(name);
    await world.kubelet.apply(say('second'));
    const second = await world.untilPod(name, 'another', (one) => one.uid !== first.uid && one.ready);
    await untilDone(async () => {
      assert.equal((await world.sandboxesOf(name)).length, 1, 'the first one is still there');
    });
    assert.equal(await world.log(name, 'main'), 'second\n');
    assert.notEqual(containerOf(second).containerID, containerOf(first).containerID);
  });
}
