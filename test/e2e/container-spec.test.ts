import assert from 'node:assert/strict';
import { readFile, readdir, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDir } from 'fs-extra/esm';
import type { ContainerConfig, Init } from '../../api/cri/runtime.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import type { ContainerOptions, Pod } from '../support/pods.ts';
import {
  containerConfig,
  containerStatus,
  createContainer,
  execOutput,
  failureOf,
  outputOf,
  podConfig,
  runContainer,
  runPod,
  shell,
  waitForExit,
} from '../support/pods.ts';
import { IMAGES, LAYERS_CONTENT } from '../support/test-image.ts';

const test = sharedDaemon({ images: ['busybox', 'user', 'entrypoint', 'layers'] });
const SLEEP = ['sleep', '3600'];

/** What a container that ends by itself prints. */
async function printed(daemon: TestDaemon, pod: Pod, command: readonly string[], options: ContainerOptions = {}): Promise<string[]> {
  const id = await runContainer(daemon, pod, command, options);
  const { exitCode } = await waitForExit(daemon, id);
  const lines = await outputOf(daemon, id);
  assert.equal(exitCode, 0, lines.join('\n'));
  return lines;
}

/** A config with other fields in its security context. */
async function secured(pod: Pod, command: readonly string[], change: object, name?: string): Promise<Init<ContainerConfig>> {
  const config = await containerConfig(pod, command, name === undefined ? {} : { name });
  return { ...config, linux: { ...config.linux, securityContext: { ...config.linux?.securityContext, ...change } } };
}

/** A container of such a config, running `sleep`. */
async function runSecured(daemon: TestDaemon, pod: Pod, change: object, name?: string): Promise<string> {
  const config = await secured(pod, SLEEP, change, name);
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  await daemon.runtime.startContainer({ containerId });
  return containerId;
}

test('command replaces the entrypoint and drops the image arguments; args alone replaces the arguments', async (daemon) => {
  const pod = await runPod(daemon);
  const image = IMAGES.entrypoint;

  assert.deepEqual(await printed(daemon, pod, [], { image, name: 'none' }), ['entry from image']);
  assert.deepEqual(await printed(daemon, pod, [], { image, name: 'args', change: { args: ['mine'] } }), ['entry mine']);
  assert.deepEqual(await printed(daemon, pod, ['echo'], { image, name: 'command' }), ['']);
  assert.deepEqual(await printed(daemon, pod, ['echo'], { image, name: 'both', change: { args: ['a', 'b'] } }), ['a b']);
});

test('the environment of the request wins over that of the image', async (daemon) => {
  const pod = await runPod(daemon);
  const value = Buffer.from('ein Wert = \u00fc \u{1f600}"\\');
  const envs = [
    { key: 'VALUE', value },
    { key: 'BOTH', value: Buffer.from('request') },
  ];
  const id = await runContainer(
    daemon,
    pod,
    shell('printf "%s" "$VALUE" | od -An -v -tx1 | tr -d " \\n"; echo; echo $FROM_IMAGE $BOTH; pwd'),
    {
      image: IMAGES.entrypoint,
      change: { envs },
    },
  );
  await waitForExit(daemon, id);

  assert.deepEqual(await outputOf(daemon, id), [value.toString('hex'), 'image request', '/work/made/by/runtime']);
});

test('the user is that of the request, of the image, or root', async (daemon) => {
  const pod = await runPod(daemon);
  const id = ['id'];
  assert.match((await printed(daemon, pod, id, { name: 'root' })).join(''), /^uid=0\(root\) gid=0\(root\)/);
  assert.deepEqual(await printed(daemon, pod, id, { name: 'image', image: IMAGES.user }), ['uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)']); // prettier-ignore

  const byId = await runSecured(
    daemon,
    pod,
    { runAsUser: { value: 65_534n }, runAsGroup: { value: 1n }, supplementalGroups: [7n, 8n] },
    'byid',
  );
  assert.match(await execOutput(daemon, byId, id), /^uid=65534\(nobody\) gid=1\(daemon\) groups=1\(daemon\),7,8$/);
  const { user } = await containerStatus(daemon, byId);
  assert.deepEqual([user?.linux?.uid, user?.linux?.gid], [65_534n, 1n]);
  const byName = await runSecured(daemon, pod, { runAsUsername: 'app' }, 'byname');
  assert.match(await execOutput(daemon, byName, id), /^uid=1000\(app\) gid=1000\(app\)/);
});

test('a user and a group that the image does not know have names inside, also where the root is read-only', async (daemon) => {
  const pod = await runPod(daemon);
  const nobody = { runAsUser: { value: 4242n }, runAsGroup: { value: 4343n }, supplementalGroups: [7n], readonlyRootfs: true };
  const id = await runSecured(daemon, pod, nobody);
  const says = await execOutput(
    daemon,
    id,
    shell('id; whoami; tail -n 1 /etc/passwd; tail -n 1 /etc/group; echo $HOME; head -n 1 /etc/passwd'),
  );
  assert.deepEqual(says.split('\n'), [
    'uid=4242(4242) gid=4343(4343) groups=7,4343(4343)',
    '4242',
    '4242:x:4242:4343:4242 user:/:/sbin/nologin',
    '4343:x:4343:',
    '/',
    'root:x:0:0:root:/root:/bin/sh',
  ]);
  assert.equal(await execOutput(daemon, id, shell('(echo x >> /etc/passwd) 2>/dev/null || echo refused')), 'refused');

  const known = await runSecured(daemon, pod, { runAsUser: { value: 1000n } }, 'known');
  assert.equal(await execOutput(daemon, known, shell('grep -c nologin /etc/passwd || true')), '0', 'the image knows it');
});

test('a user name that the image does not know, and a group without a user, are refused', async (daemon) => {
  const pod = await runPod(daemon);
  const unknown = await secured(pod, SLEEP, { runAsUsername: 'nobody-knows' }, 'unknown');
  const { message } = await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config: unknown, sandboxConfig: pod.config }));
  assert.match(message, /nobody-knows/);

  const group = await secured(pod, SLEEP, { runAsGroup: { value: 5n } }, 'group');
  const { code } = await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config: group, sandboxConfig: pod.config }));
  assert.equal(code, 'INVALID_ARGUMENT');
});

test('capabilities: a bounded default, ALL dropped, one added, ALL added', async (daemon) => {
  const pod = await runPod(daemon);
  const effective = async (change: object, name: string): Promise<bigint> => {
    const id = await runSecured(daemon, pod, change, name);
    const text = await execOutput(daemon, id, shell('grep CapEff /proc/1/status'));
    return BigInt(`0x${text.split(/\s+/)[1] ?? ''}`);
  };
  const netAdmin = 1n << 12n;

  const byDefault = await effective({}, 'default');
  assert.equal(byDefault & netAdmin, 0n);
  assert.notEqual(byDefault & 1n, 0n, 'CHOWN is missing');
  assert.equal(await effective({ capabilities: { dropCapabilities: ['ALL'], addCapabilities: [] } }, 'none'), 0n);
  const one = { addCapabilities: ['net_admin'], dropCapabilities: ['ALL'] };
  assert.equal(await effective({ capabilities: one }, 'one'), netAdmin);
  assert.notEqual((await effective({ capabilities: { addCapabilities: ['ALL'], dropCapabilities: [] } }, 'all')) & netAdmin, 0n);
});

test('no_new_privs, a read-only root, masked and read-only paths hold', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runSecured(daemon, pod, { noNewPrivs: true, readonlyRootfs: true });

  assert.match(await execOutput(daemon, id, shell('grep NoNewPrivs /proc/1/status')), /1$/);
  assert.match(await execOutput(daemon, id, shell('touch /file 2>&1 || true')), /Read-only file system/);
  assert.equal(await execOutput(daemon, id, ['ls', '/sys/firmware']), '');
  assert.match(await execOutput(daemon, id, shell('echo 1 2>&1 >/proc/sys/vm/drop_caches || true')), /Read-only file system/);
  await execOutput(daemon, id, shell('touch /dev/shm/file'));
});

test('a privileged container has every capability of the node, its devices, and a writable /sys', async (daemon) => {
  const config = podConfig(daemon);
  const linux = { ...config.linux, securityContext: { ...config.linux?.securityContext, privileged: true } };
  const pod = await runPod(daemon, { change: { linux } });
  const id = await runSecured(daemon, pod, { privileged: true, maskedPaths: [], readonlyPaths: [] });
  const own = /^CapBnd:\s+(\S+)/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '';

  assert.match(await execOutput(daemon, id, shell('grep CapBnd /proc/1/status')), new RegExp(own));
  assert.match(await execOutput(daemon, id, shell('grep " /sys " /proc/1/mounts')), /\brw\b/);
  const devices = (await execOutput(daemon, id, ['ls', '/dev'])).split('\n');
  if (existsSync('/dev/fuse')) assert.ok(devices.includes('fuse'), `no fuse among ${devices.join(' ')}`);
});

test('a privileged container is refused in a pod that is not', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await secured(pod, SLEEP, { privileged: true });

  await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }));
});

test('the default mounts are there', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  const mounts = (await execOutput(daemon, id, ['cat', '/proc/1/mounts'])).split('\n').map((line) => line.split(' '));
  const type = (path: string): string | undefined => mounts.findLast((mount) => mount[1] === path)?.[2];

  const seen = Object.fromEntries(['/', '/proc', '/dev', '/dev/pts', '/dev/mqueue', '/dev/shm', '/sys'].map((path) => [path, type(path)]));
  assert.deepEqual(seen, {
    '/': 'overlay',
    '/proc': 'proc',
    '/dev': 'tmpfs',
    '/dev/pts': 'devpts',
    '/dev/mqueue': 'mqueue',
    '/dev/shm': 'tmpfs',
    '/sys': 'sysfs',
  });
  assert.ok(
    mounts.some((mount) => mount[1]?.startsWith('/sys/fs/cgroup') === true),
    'no cgroup mount',
  );
  const sys = mounts.find((mount) => mount[1] === '/sys');
  assert.match(sys?.[3] ?? '', /^ro\b/);
});

test('limits of the request are in the cgroup of the container', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, SLEEP, { memoryBytes: 64n << 20n });
  const resources = { ...config.linux?.resources, cpuQuota: 50_000n, cpuShares: 512n, cpusetCpus: '0' };
  const { containerId } = await daemon.runtime.createContainer({
    podSandboxId: pod.id,
    config: { ...config, linux: { ...config.linux, resources } },
    sandboxConfig: pod.config,
  });
  await daemon.runtime.startContainer({ containerId });
  const { info } = await daemon.runtime.containerStatus({ containerId, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  assert.match(cgroups, new RegExp(`${daemon.cgroup}/pod${pod.config.metadata?.uid ?? ''}/`));
  const v1 = /^\d+:memory:(.*)$/m.exec(cgroups)?.[1];
  const v2 = /^0::(.*)$/m.exec(cgroups)?.[1] ?? '';
  const value = async (v1Name: string, v2Name: string): Promise<string> => {
    const [controller = ''] = v1Name.split('.');
    const v1Path = /^\d+:(?:.*,)?CONTROLLER(?:,.*)?:(.*)$/m.source.replace('CONTROLLER', controller);
    const path = v1 === undefined ? join(v2, v2Name) : join(controller, new RegExp(v1Path, 'm').exec(cgroups)?.[1] ?? '', v1Name);
    return (await readFile(join('/sys/fs/cgroup', path), 'utf8')).trim();
  };

  assert.equal(await value('memory.limit_in_bytes', 'memory.max'), String(64 << 20));
  assert.equal(await value('cpuset.cpus', 'cpuset.cpus'), '0');
  assert.match(await value('cpu.cfs_quota_us', 'cpu.max'), /^50000\b/);
  const { resources: seen } = await containerStatus(daemon, containerId);
  assert.equal(seen?.linux?.memoryLimitInBytes, 64n << 20n);
  assert.equal(seen.linux.cpuShares, 512n);
});

test('the score for the OOM killer is the one asked for', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);

  assert.equal(await execOutput(daemon, id, ['cat', '/proc/1/oom_score_adj']), '999');
});

test('layers: whiteouts, replaced files, links, modes, owners and times are as the image says', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP, { image: IMAGES.layers });
  const seen: Record<string, string | undefined> = {};
  for (const path of Object.keys(LAYERS_CONTENT)) {
    const text = await execOutput(daemon, id, shell(`cat ${path} 2>/dev/null || echo absent`));
    seen[path] = text === 'absent' ? undefined : text;
  }
  assert.deepEqual(seen, LAYERS_CONTENT);
  assert.equal(await execOutput(daemon, id, ['stat', '-c', '%a %u %g %Y %h', '/data/kept']), '640 1000 2000 1000000000 2');
  assert.equal(await execOutput(daemon, id, ['stat', '-c', '%a', '/data/replaced']), '4755');
  assert.equal(await execOutput(daemon, id, ['stat', '-c', '%a', '/opaque']), '700');
  assert.equal(await execOutput(daemon, id, ['ls', '-a', '/opaque']), '.\n..\nnew');
  assert.equal(await execOutput(daemon, id, shell('cat /data/nnnn*')), 'long');
  assert.equal(await execOutput(daemon, id, ['readlink', '/data/symlink']), '/data/kept');
});

test('what one container writes to its root no other sees', async (daemon) => {
  const pod = await runPod(daemon);
  const a = await runContainer(daemon, pod, SLEEP, { name: 'a' });
  const b = await runContainer(daemon, pod, SLEEP, { name: 'b' });
  await execOutput(daemon, a, shell('echo mine >/note; rm /www/index.html'));

  assert.equal(await execOutput(daemon, b, shell('ls /note 2>/dev/null; cat /www/index.html')), 'It works: a page from inside the pod.');
});

test('a mount source that is a symlink is followed; mounts are made from the outside in', async (daemon) => {
  const pod = await runPod(daemon);
  const directory = join(daemon.directory, 'sources');
  await ensureDir(join(directory, 'outer'));
  await ensureDir(join(directory, 'inner'));
  await symlink(join(directory, 'inner'), join(directory, 'link'));
  const mount = (containerPath: string, name: string): object => ({ containerPath, hostPath: join(directory, name), propagation: 0 });
  const id = await createContainer(daemon, pod, shell('touch /vol/o /vol/sub/i'), {
    change: { mounts: [mount('/vol/sub', 'link'), mount('/vol', 'outer')] },
  });
  await daemon.runtime.startContainer({ containerId: id });
  assert.equal((await waitForExit(daemon, id)).exitCode, 0);

  assert.deepEqual(await readdir(join(directory, 'inner')), ['i']);
  assert.deepEqual(await readdir(join(directory, 'outer')), ['o', 'sub']);
});
