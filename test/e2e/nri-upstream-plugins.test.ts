/**
 * Upstream's own plugins (containerd/nri, plugins/ of v0.12.0) on the daemon. They are modules of their own that no proxy serves:
 * $PODWRIGHT_NRI_PLUGINS names a directory with the programs logger, device-injector, hook-injector, ulimit-adjuster and differ,
 * built from a clone.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import type { StatusReport } from '../../src/admin/reports.ts';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { execOutput, failureOf, podConfig, removePod, runContainer, runPod, shell, until } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';
import { ablestRuntime } from '../support/user-namespaces.ts';

const PROGRAMS = process.env['PODWRIGHT_NRI_PLUGINS'];
const noUpstream = PROGRAMS === undefined ? '$PODWRIGHT_NRI_PLUGINS names no directory with upstream plugins' : false;
const SLEEP = ['sleep', '3600'];
const directory = await mkdtemp(join(tmpdir(), 'pw-nri-upstream-'));
const HOST_NODE = join(directory, 'node');
const LOG = join(directory, 'log');
const test = sharedDaemon({ skip: noUpstream, args: ['--runtime', `runc=${ablestRuntime}`] });

before(async () => {
  await execa('mknod', [HOST_NODE, 'c', '10', '237']);
  await chmod(HOST_NODE, 0o600);
});
after(async () => {
  await remove(directory);
});

async function ready(daemon: TestDaemon, count: number): Promise<void> {
  await until(`${count} plugins are there`, async () => {
    const { nri } = JSON.parse(await daemon.cli('status', '--json')) as StatusReport;
    return nri?.plugins.filter(({ state }) => state === 'ready').length === count;
  });
}

/** Runs work while an upstream program is connected, as `count` plugins. */
async function withUpstream(
  daemon: TestDaemon,
  [program, ...args]: readonly [string, ...string[]],
  work: () => Promise<void>,
  count = 1,
): Promise<void> {
  const child = execa(program, args, { reject: false, all: true });
  try {
    await ready(daemon, count);
    await work();
  } catch (error) {
    child.kill('SIGKILL');
    process.stdout.write(`${(await child).all}\n`);
    throw error;
  } finally {
    child.kill('SIGKILL');
    await child;
    await ready(daemon, 0);
  }
}

const upstream = (name: string): string => join(PROGRAMS ?? '', name);
const annotated = async (daemon: TestDaemon, annotations: Readonly<Record<string, string>>): Promise<Pod> =>
  runPod(daemon, { change: { annotations: { ...podConfig(daemon).annotations, ...annotations } } });

test('logger: it is told each step of a pod, and its variable is in the container', async (daemon) => {
  const socket = ['-socket-path', daemon.nriSocket, '-idx', '10', '-log-file', LOG];
  await withUpstream(daemon, [upstream('logger'), ...socket, '-add-env', 'FROM_LOGGER', '-add-annotation', 'e2e/logger'], async () => {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP);
    assert.match(await execOutput(daemon, id, shell('echo $FROM_LOGGER')), /^logger-pid-\d+$/);
    await removePod(daemon, pod.id);
    const log = await until('it has logged the end', async () => {
      const text = await readFile(LOG, 'utf8').catch(() => '');
      return text.includes('RemovePodSandbox') && text;
    });
    const first = (step: string): number => log.indexOf(`"${step}: `);
    const steps = ['Synchronize', 'RunPodSandbox', 'CreateContainer', 'ValidateContainerAdjustment', 'PostCreateContainer', 'StartContainer', 'PostStartContainer', 'StopContainer', 'RemoveContainer', 'RemovePodSandbox']; // prettier-ignore
    for (const step of steps) assert.ok(first(step) >= 0, `${step} is not in the log`);
    assert.ok(first('RunPodSandbox') < first('CreateContainer') && first('CreateContainer') < first('RemovePodSandbox'));
    assert.match(log, /e2e\/logger: logger-pid-/);
  });
});

test('device-injector: what the annotations of a pod order is in the container', async (daemon) => {
  await withUpstream(daemon, [upstream('device-injector'), '-socket-path', daemon.nriSocket, '-idx', '10'], async () => {
    const pod = await annotated(daemon, {
      'devices.noderesource.dev/container.main':
        '- path: /dev/injected\n  type: c\n  major: 10\n  minor: 237\n  file_mode: 416\n  uid: 5\n  gid: 6\n',
      'mounts.noderesource.dev/container.main': '- source: tmpfs\n  destination: /opt/injected\n  type: tmpfs\n  options: ["size=64k"]\n',
      'io-priority.noderesource.dev/container.main': 'class: IOPRIO_CLASS_BE\npriority: 5\n',
      'scheduling-policy.noderesource.dev/container.main': 'policy: SCHED_BATCH\nnice: 3\n',
      'sysctl.noderesource.dev/container.main': 'net.ipv4.ip_unprivileged_port_start: "82"\n',
    });
    const id = await runContainer(daemon, pod, SLEEP);
    assert.equal(await execOutput(daemon, id, shell('stat -c "%a %u:%g %t:%T" /dev/injected')), '640 5:6 a:ed');
    assert.match(await execOutput(daemon, id, shell('grep " /opt/injected " /proc/self/mountinfo')), /tmpfs .*size=64k/);
    assert.equal(await execOutput(daemon, id, shell('cat /proc/sys/net/ipv4/ip_unprivileged_port_start')), '82');
    const pid = String(await pidOf(daemon, id));
    assert.equal((await execa('ionice', ['-p', pid])).stdout, 'best-effort: prio 5');
    assert.match((await execa('chrt', ['-p', pid])).stdout, /SCHED_BATCH/);
    const other = await runContainer(daemon, pod, SLEEP, { name: 'other' });
    assert.equal(await execOutput(daemon, other, shell('test -e /dev/injected || echo none')), 'none');
  });
});

test('ulimit-adjuster: limits of the annotations count, and what is no limit fails the create in its words', async (daemon) => {
  await withUpstream(daemon, [upstream('ulimit-adjuster'), '-socket', daemon.nriSocket, '-idx', '10', '-name', 'ulimits'], async () => {
    const key = 'ulimits.noderesource.dev/container.main';
    const pod = await annotated(daemon, { [key]: '- type: nofile\n  soft: 321\n  hard: 654\n- type: RLIMIT_CORE\n  soft: 0\n  hard: 0\n' });
    const id = await runContainer(daemon, pod, SLEEP);
    assert.equal(
      await execOutput(daemon, id, ['sed', '-n', 's/^Max open files *//p', '/proc/1/limits']),
      '321                  654                  files',
    );
    const { message } = await failureOf(runContainer(daemon, await annotated(daemon, { [key]: '- type: nosuch\n' }), SLEEP));
    assert.match(message, /ulimits/);
    assert.match(message, /failed to parse type: "nosuch"/);
  });
});

test('hook-injector: hooks of a hooks.d directory run for the containers that they are for', async (daemon) => {
  const ran = join(directory, 'ran');
  const hook = join(directory, 'hook');
  await writeFile(hook, `#!/bin/sh\ncat >/dev/null\necho ran >>${ran}\n`, { mode: 0o755 });
  const config = { version: '1.0.0', hook: { path: hook }, when: { annotations: { '^e2e/hooked$': 'yes' } }, stages: ['createRuntime'] };
  await writeFile(join(directory, 'hook.json'), JSON.stringify(config));
  // The plugin's directories are fixed: it gets its own in a mount namespace.
  const hooks = '/usr/share/containers/oci/hooks.d /etc/containers/oci/hooks.d';
  const script = `set -e; mount -t tmpfs t /usr/share; mount -t tmpfs t /etc; mkdir -p ${hooks}; cp "$1" /etc/containers/oci/hooks.d; shift; exec "$@"`;
  const isolated = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', join(directory, 'hook.json')];
  const program = [upstream('hook-injector'), '-socket-path', daemon.nriSocket, '-idx', '10', '-disableWatch'];
  await withUpstream(daemon, ['unshare', ...isolated, ...program], async () => {
    await runContainer(daemon, await runPod(daemon), SLEEP);
    assert.equal(existsSync(ran), false);
    await runContainer(daemon, await annotated(daemon, { 'e2e/hooked': 'yes' }), SLEEP);
    assert.equal(await readFile(ran, 'utf8'), 'ran\n');
  });
});

test('differ: two of it see what a plugin between them changes', async (daemon) => {
  const log = join(directory, 'differ');
  const differ = [upstream('differ'), '-socket-path', daemon.nriSocket, '-indices', '5,90', '-log-file', log, '-yaml'] as const;
  await withUpstream(
    daemon,
    differ,
    async () => {
      const child = execa(upstream('logger'), ['-socket-path', daemon.nriSocket, '-idx', '50', '-add-env', 'BETWEEN'], { reject: false });
      try {
        await ready(daemon, 3);
        await runContainer(daemon, await runPod(daemon), SLEEP);
        await until('the difference is logged', async () => /BETWEEN=logger-pid/.test(await readFile(log, 'utf8').catch(() => '')));
      } finally {
        child.kill('SIGKILL');
        await child;
        await ready(daemon, 2);
      }
    },
    2,
  );
});
