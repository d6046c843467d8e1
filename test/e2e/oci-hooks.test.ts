/** OCI hooks of hooks.d directories: for which containers they run, at which points, and in which order. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach } from 'node:test';
import { emptyDir, ensureDir, remove } from 'fs-extra/esm';
import { sharedDaemon } from '../support/e2e-test.ts';
import { createContainer, failureOf, podConfig, removePod, runContainer, runPod, until } from '../support/pods.ts';

const directory = await mkdtemp(join(tmpdir(), 'pw-hooks-'));
const HOOKS = join(directory, 'hooks.d');
const SPECS = join(directory, 'cdi');
const RAN = join(directory, 'ran');
const PROGRAM = join(directory, 'program');
const SLEEP = ['sleep', '3600'];

before(async () => {
  await writeFile(PROGRAM, `#!/bin/sh\ncat >/dev/null\necho "$1 $OF" >>${RAN}\n[ "$1" != fail ]\n`, { mode: 0o755 });
  await ensureDir(SPECS);
});
beforeEach(async () => {
  await emptyDir(HOOKS);
  await rm(RAN, { force: true });
});
after(async () => {
  await remove(directory);
});

const test = sharedDaemon({ config: `hooks_dir = ["${HOOKS}"]\ncdi_spec_dirs = ["${SPECS}"]\n` });

async function writeHook(name: string, when: object, stages: readonly string[], arg = name): Promise<void> {
  const hook = { path: PROGRAM, args: ['hook', arg], env: ['OF=node'], timeout: 30 };
  await writeFile(join(HOOKS, `${name}.json`), JSON.stringify({ version: '1.0.0', hook, when, stages }));
}

/** What has run, when there are so many lines. */
async function ran(count: number): Promise<string[]> {
  return until(`${count} hooks have run`, async () => {
    const lines = (await readFile(RAN, 'utf8').catch(() => '')).split('\n').slice(0, -1);
    return lines.length >= count && lines;
  });
}

test('hooks run at each of their stages in the order of their names, before those of CDI devices', async (daemon) => {
  await writeHook('20-second', { always: true }, ['createRuntime', 'createContainer']);
  await writeHook('10-first', { always: true }, ['prestart', 'poststart', 'poststop']);
  const hooks = [{ hookName: 'createRuntime', path: PROGRAM, args: ['hook', 'cdi'], env: ['OF=vendor'] }];
  const devices = [{ name: '0', containerEdits: { hooks } }];
  await writeFile(join(SPECS, 'a.json'), JSON.stringify({ cdiVersion: '0.5.0', kind: 'vendor.com/gpu', devices }));
  const pod = await runPod(daemon);
  const id = await createContainer(daemon, pod, SLEEP, { change: { cdiDevices: [{ name: 'vendor.com/gpu=0' }] } });
  // runc runs poststart when it has created the container, crun when it has started it.
  assert.deepEqual((await ran(4)).slice(0, 4), ['10-first node', '20-second node', 'cdi vendor', '20-second node']);
  await daemon.runtime.startContainer({ containerId: id });
  await ran(5);
  await removePod(daemon, pod.id);
  assert.deepEqual((await ran(6)).slice(4), ['10-first node', '10-first node']);
});

test('a hook runs for the containers that its conditions say: annotations of pod or container, program, mounts', async (daemon) => {
  const stages = ['createRuntime'];
  await writeHook('annotation', { annotations: { '^e2e/(pod|own)$': '^yes$' } }, stages);
  await writeHook('command', { commands: ['^sleep$'] }, stages);
  await writeHook('mounts', { hasBindMounts: true }, stages);
  await writeHook('never', { always: false }, stages);
  await writeFile(join(HOOKS, 'broken.json'), '{}');
  const plain = await runPod(daemon);
  await runContainer(daemon, plain, ['tail', '-f', '/dev/null'], { name: 'none', change: { mounts: [] } });
  await runContainer(daemon, plain, SLEEP, { name: 'program', change: { mounts: [] } });
  await runContainer(daemon, plain, ['tail', '-f', '/dev/null'], { name: 'own', change: { annotations: { 'e2e/own': 'yes' } } });
  const annotated = await runPod(daemon, { change: { annotations: { ...podConfig(daemon).annotations, 'e2e/pod': 'yes' } } });
  await runContainer(daemon, annotated, ['tail', '-f', '/dev/null'], { change: { mounts: [] } });

  assert.deepEqual(await ran(4), ['command node', 'annotation node', 'mounts node', 'annotation node']);
  assert.match(await readFile(daemon.logFile, 'utf8'), /OCI hook \S+broken\.json is not used: version: must be 1\.0\.0/);
});

test('what a hook leaves running is in the cgroup of the monitor, and goes with the container', async (daemon) => {
  const program = join(directory, 'leaves');
  await writeFile(program, `#!/bin/sh\nsleep 3600 >/dev/null 2>&1 </dev/null &\necho $! >${RAN}\n`, { mode: 0o755 });
  const hook = { path: program };
  await writeFile(
    join(HOOKS, 'leaves.json'),
    JSON.stringify({ version: '1.0.0', hook, when: { always: true }, stages: ['createRuntime'] }),
  );
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  const [pid = ''] = await ran(1);
  assert.match(await readFile(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`podwright-conmon-${id}$`, 'm'));
  await removePod(daemon, pod.id);
  const stillRuns = async (): Promise<boolean> =>
    readFile(`/proc/${pid}/stat`, 'utf8').then(
      (stat) => !stat.includes(') Z '),
      () => false,
    );
  await until('it has ended', async () => !(await stillRuns()));
});

test('a hook that fails fails the create with its path in the words, and nothing is left; one that goes is not run', async (daemon) => {
  await writeHook('fail', { always: true }, ['createRuntime']);
  const pod = await runPod(daemon);
  const { message } = await failureOf(createContainer(daemon, pod, SLEEP));
  assert.match(message, /hook/);
  assert.deepEqual(await ran(1), ['fail node']);
  await rm(join(HOOKS, 'fail.json'));
  await daemon.kill9();
  await daemon.start();
  await runContainer(daemon, pod, SLEEP);
  assert.equal((await ran(1)).length, 1);
});
