/** Fields of requests seen where they land, or seen to change nothing: what other files do not look at. docs/fields.md names them. */
// long: 25 s
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type {
  ContainerConfig,
  Init,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  LinuxSandboxSecurityContext,
} from '../../api/cri/runtime.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import type { Pod } from '../support/pods.ts';
import { containerConfig, containerStatus, execOutput, failureOf, podConfig, runContainer, runPod, shell } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

const test = sharedDaemon();
const SLEEP = ['sleep', '3600'];
const MIB = 1n << 20n;

/** A pod with a shared PID namespace, which has an infra container, and this in its security context. */
async function podWithInfra(
  daemon: TestDaemon,
  change: Init<LinuxSandboxSecurityContext>,
): Promise<{ pod: Pod; pid: number; status: string }> {
  const pod = await runPod(daemon, { change: sharedPid(daemon, change) });
  const { pid } = (await podInfo(daemon, pod.id)) as { pid: number };
  return { pod, pid, status: await readFile(`/proc/${pid}/status`, 'utf8') };
}

function sharedPid(daemon: TestDaemon, change: Init<LinuxSandboxSecurityContext>): Pick<Pod['config'], 'linux'> {
  const { linux } = podConfig(daemon, { namespaces: { pid: NamespaceMode.POD } });
  return { linux: { ...linux, securityContext: { ...linux?.securityContext, ...change } } };
}

async function podInfo(daemon: TestDaemon, podSandboxId: string): Promise<Readonly<Record<string, unknown>>> {
  const { info } = await daemon.runtime.podSandboxStatus({ podSandboxId, verbose: true });
  return JSON.parse(info['info'] ?? '{}') as Record<string, unknown>;
}

async function runConfig(daemon: TestDaemon, pod: Pod, config: Init<ContainerConfig>): Promise<string> {
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  await daemon.runtime.startContainer({ containerId });
  return containerId;
}

async function secured(pod: Pod, name: string, change: Init<LinuxContainerSecurityContext>): Promise<Init<ContainerConfig>> {
  const config = await containerConfig(pod, SLEEP, { name });
  return { ...config, linux: { ...config.linux, securityContext: { ...config.linux?.securityContext, ...change } } };
}

const field = (status: string, name: string): string => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(status)?.[1] ?? '';

test('the infra container of a sandbox has the user, the groups and the seccomp profile asked for', async (daemon) => {
  const plain = await podWithInfra(daemon, { seccomp: undefined });
  assert.deepEqual([field(plain.status, 'Uid'), field(plain.status, 'Groups'), field(plain.status, 'Seccomp')], [
    '65535\t65535\t65535\t65535',
    '65535',
    '2',
  ]); // prettier-ignore
  const asked = await podWithInfra(daemon, {
    runAsUser: { value: 1234n },
    runAsGroup: { value: 77n },
    supplementalGroups: [5n, 4242n],
    seccomp: { profileType: 1 },
  });
  assert.deepEqual([field(asked.status, 'Uid'), field(asked.status, 'Gid'), field(asked.status, 'Groups'), field(asked.status, 'Seccomp')], [
    '1234\t1234\t1234\t1234',
    '77\t77\t77\t77',
    '5 77 4242',
    '0',
  ]); // prettier-ignore
  const deprecated = await podWithInfra(daemon, { seccomp: undefined, seccompProfilePath: 'unconfined' });
  assert.equal(field(deprecated.status, 'Seccomp'), '0');
});

test("a sandbox's own seccomp profile is in force in its infra container, and one that is not there is refused", async (daemon) => {
  const file = join(daemon.directory, 'infra-profile.json');
  // A profile of one filter more than a profile that is not there: the built-in one has the same state, 2, but another count.
  await writeFile(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ERRNO' }] }));
  const { pod } = await podWithInfra(daemon, { seccomp: { profileType: 2, localhostRef: file } });
  const { runtimeSpec } = (await podInfo(daemon, pod.id)) as { runtimeSpec: { linux: { seccomp: { syscalls: { names: string[] }[] } } } };
  assert.deepEqual(runtimeSpec.linux.seccomp.syscalls.map(({ names }) => names), [['socket']]); // prettier-ignore

  const change = sharedPid(daemon, { seccomp: { profileType: 2, localhostRef: `${file}.none` } });
  const { code, message } = await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon, { change }), runtimeHandler: '' }));
  assert.equal(code, 'INVALID_ARGUMENT');
  assert.match(message, /infra-profile\.json\.none cannot be used/);
});

test('what a sandbox may say without effect changes nothing of it', async (daemon) => {
  const specOf = async (change: Init<LinuxSandboxSecurityContext>): Promise<unknown> => {
    const { pod } = await podWithInfra(daemon, change);
    const text = JSON.stringify((await podInfo(daemon, pod.id))['runtimeSpec']);
    return JSON.parse(
      text
        .replaceAll(pod.id, 'ID')
        .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
        .replaceAll(/pod-[0-9a-f]{8}/g, 'NAME'),
    );
  };
  const namespaceOptions = { pid: NamespaceMode.POD };

  assert.deepEqual(
    await specOf({ readonlyRootfs: true, supplementalGroupsPolicy: 1, namespaceOptions: { ...namespaceOptions, targetId: 'somebody' } }),
    await specOf({ namespaceOptions }),
  );
});

e2eTest('resources and overhead of a pod are kept and shown, and those of an update in their place, also after kill -9', async (daemon) => {
  const told = (cpuShares: bigint): Init<LinuxContainerResources> => ({
    cpuPeriod: 100_000n,
    cpuQuota: 20_000n,
    cpuShares,
    memoryLimitInBytes: 77n * MIB,
    oomScoreAdj: -5n,
    cpusetCpus: '0-1',
    cpusetMems: '0',
    hugepageLimits: [{ pageSize: '2MB', limit: 4n }],
    unified: { 'memory.high': '1' },
    memorySwapLimitInBytes: 78n * MIB,
  });
  const shown = (cpuShares: number): object => ({
    cpuPeriod: 100_000,
    cpuQuota: 20_000,
    cpuShares,
    memoryLimitInBytes: 77 << 20,
    oomScoreAdj: -5,
    cpusetCpus: '0-1',
    cpusetMems: '0',
    hugepageLimits: [{ pageSize: '2MB', limit: 4 }],
    unified: { 'memory.high': '1' },
    memorySwapLimitInBytes: 78 << 20,
  });
  const { linux } = podConfig(daemon);
  const pod = await runPod(daemon, { change: { linux: { ...linux, overhead: told(11n), resources: told(22n) } } });
  const seen = async (): Promise<unknown[]> => {
    const { overhead, resources } = await podInfo(daemon, pod.id);
    return [overhead, resources];
  };
  assert.deepEqual(await seen(), [shown(11), shown(22)]);

  await daemon.runtime.updatePodSandboxResources({ podSandboxId: pod.id.slice(0, 20), resources: told(33n) });
  assert.deepEqual(await seen(), [shown(11), shown(33)]);
  await daemon.runtime.updatePodSandboxResources({ podSandboxId: pod.id, overhead: told(44n), resources: told(55n) });
  assert.deepEqual(await seen(), [shown(44), shown(55)]);

  await daemon.kill9();
  await daemon.start();
  assert.deepEqual(await seen(), [shown(44), shown(55)]);
  const { code } = await failureOf(daemon.runtime.updatePodSandboxResources({ podSandboxId: 'f'.repeat(64), overhead: told(1n) }));
  assert.equal(code, 'NOT_FOUND');
});

test('what a container may say without effect changes nothing of its spec', async (daemon) => {
  const pod = await runPod(daemon);
  const specOf = async (name: string, change: Init<ContainerConfig>, sandboxConfig = pod.config): Promise<unknown> => {
    const config = await containerConfig(pod, SLEEP, { name, change });
    const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig });
    const { info } = await daemon.runtime.containerStatus({ containerId, verbose: true });
    const { runtimeSpec } = JSON.parse(info['info'] ?? '{}') as { runtimeSpec: object };
    return JSON.parse(JSON.stringify(runtimeSpec).replaceAll(containerId, 'ID').replaceAll(name, 'NAME'));
  };
  const image = { image: IMAGES.busybox, userSpecifiedImage: IMAGES.busybox };
  const mounts = [{ containerPath: '/data', hostPath: '/tmp' }];
  const plain = await specOf('cplain', { image, mounts });

  assert.deepEqual(
    await specOf('cmore', {
      image: { ...image, annotations: { a: 'b' }, runtimeHandler: 'no-such', imageRef: 'sha256:0' },
      mounts: [{ ...mounts[0], selinuxRelabel: true }],
    }),
    plain,
  );
  // The copy of the pod's config: only the names in the annotations are from it.
  const metadata = pod.config.metadata;
  const other = { metadata, hostname: 'other', logDirectory: '/other', linux: { cgroupParent: '/other', sysctls: { a: 'b' } } };
  assert.deepEqual(await specOf('ccopy', { image, mounts }, other), plain);
});

test('the status names an image as its user wrote it', async (daemon) => {
  const pod = await runPod(daemon);
  const { image } = await daemon.images.imageStatus({ image: { image: IMAGES.busybox } });
  const id = await runContainer(daemon, pod, SLEEP, { change: { image: { image: image?.id, userSpecifiedImage: 'as/written:1' } } });

  assert.equal((await containerStatus(daemon, id)).image?.userSpecifiedImage, 'as/written:1');
  const { info } = await daemon.runtime.containerStatus({ containerId: id, verbose: true });
  const { runtimeSpec } = JSON.parse(info['info'] ?? '{}') as { runtimeSpec: { annotations: Record<string, string> } };
  assert.equal(runtimeSpec.annotations['io.kubernetes.cri.image-name'], 'as/written:1');
});

test('the working directory is the one asked for, and is made', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP, { change: { workingDir: '/made/for/this' } });

  assert.equal(await execOutput(daemon, id, ['readlink', '/proc/1/cwd']), '/made/for/this');
});

test('a mount of the host comes into a volume with HOST_TO_CONTAINER, and one of the container out of it with BIDIRECTIONAL', async (daemon) => {
  const { linux } = podConfig(daemon);
  const pod = await runPod(daemon, { change: { linux: { ...linux, securityContext: { ...linux?.securityContext, privileged: true } } } });
  const shared = join(daemon.directory, 'shared');
  await ensureDir(shared);
  await execa('mount', ['-t', 'tmpfs', 'none', shared]);
  try {
    await execa('mount', ['--make-shared', shared]);
    for (const name of ['in', 'out', 'private']) await ensureDir(join(shared, name));
    const config = await secured(pod, 'spreads', { privileged: true });
    const mount = (name: string, propagation: number): object => ({ containerPath: `/${name}`, hostPath: join(shared, name), propagation });
    const id = await runConfig(daemon, pod, { ...config, mounts: [mount('in', 1), mount('out', 2), mount('private', 0)] });
    for (const name of ['in', 'private']) await ensureDir(join(shared, name, 'late'));
    for (const name of ['in', 'private']) await execa('mount', ['-t', 'tmpfs', `of-the-host-${name}`, join(shared, name, 'late')]);
    await execOutput(daemon, id, shell('mkdir /out/late; mount -t tmpfs of-the-container /out/late'));

    const inside = await execOutput(daemon, id, ['cat', '/proc/1/mounts']);
    assert.match(inside, /^of-the-host-in \/in\/late /m);
    assert.doesNotMatch(inside, /of-the-host-private/);
    assert.match(await readFile('/proc/self/mounts', 'utf8'), new RegExp(`^of-the-container ${shared}/out/late `, 'm'));
    await execOutput(daemon, id, ['umount', '/out/late']);
  } finally {
    await execa('umount', ['-R', '-l', shared]);
  }
});

test('a container is in the network and IPC namespaces of its pod, whatever it says of them', async (daemon) => {
  const pod = await runPod(daemon);
  const like = await runContainer(daemon, pod, SLEEP, { name: 'like' });
  const namespaceOptions = { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE, pid: NamespaceMode.CONTAINER };
  const other = await runConfig(daemon, pod, await secured(pod, 'other', { namespaceOptions }));
  await execOutput(daemon, like, shell('echo from-like >/dev/shm/note'));

  for (const kind of ['net', 'ipc', 'uts'])
    assert.equal(await execOutput(daemon, other, ['readlink', `/proc/1/ns/${kind}`]), await execOutput(daemon, like, ['readlink', `/proc/1/ns/${kind}`])); // prettier-ignore
  assert.equal(await execOutput(daemon, other, ['cat', '/dev/shm/note']), 'from-like');
});

test('a debug container sees the processes of its target', async (daemon) => {
  const pod = await runPod(daemon);
  const target = await runContainer(daemon, pod, ['sleep', '4321'], { name: 'target' });
  const namespaceOptions = { pid: NamespaceMode.TARGET, targetId: target };
  const debug = await runConfig(daemon, pod, await secured(pod, 'debug', { namespaceOptions }));

  assert.match(await execOutput(daemon, debug, shell('tr "\\0" " " </proc/1/cmdline')), /^sleep 4321/);
  assert.equal(await execOutput(daemon, debug, ['readlink', '/proc/1/ns/pid']), await execOutput(daemon, target, ['readlink', '/proc/1/ns/pid'])); // prettier-ignore
});

test('of mounts, variables, devices and groups that are there twice the last one counts', async (daemon) => {
  const pod = await runPod(daemon);
  for (const name of ['first', 'last']) {
    await ensureDir(join(daemon.directory, name));
    await writeFile(join(daemon.directory, name, 'which'), name);
  }
  const mount = (name: string): object => ({ containerPath: '/data', hostPath: join(daemon.directory, name) });
  const device = (permissions: string): object => ({ hostPath: '/dev/full', containerPath: '/dev/mine', permissions });
  const config = await secured(pod, 'twice', { supplementalGroups: [7n, 7n], capabilities: { addCapabilities: ['SYS_TIME', 'sys_time'] } });
  const id = await runConfig(daemon, pod, {
    ...config,
    mounts: [mount('first'), mount('last')],
    envs: ['first', 'last'].map((value) => ({ key: 'WHICH', value: Buffer.from(value) })),
    devices: [device('r'), device('rw')],
  });

  assert.equal(await execOutput(daemon, id, ['cat', '/data/which']), 'last');
  assert.equal(await execOutput(daemon, id, shell('env | grep WHICH')), 'WHICH=last');
  assert.match(await execOutput(daemon, id, shell('echo x 2>&1 >/dev/mine || true')), /No space left/);
  assert.equal(field(await execOutput(daemon, id, ['cat', '/proc/1/status']), 'Groups'), '0 7');
});

test('the deprecated path of a seccomp profile counts where there is no newer field', async (daemon) => {
  const pod = await runPod(daemon);
  const modeOf = async (name: string, change: Init<LinuxContainerSecurityContext>): Promise<string> => {
    const id = await runConfig(daemon, pod, await secured(pod, name, change));
    return field(await execOutput(daemon, id, ['cat', '/proc/1/status']), 'Seccomp');
  };

  assert.equal(await modeOf('old', { seccomp: undefined, seccompProfilePath: 'runtime/default' }), '2');
  assert.equal(await modeOf('both', { seccomp: { profileType: 1 }, seccompProfilePath: 'runtime/default' }), '0');
  assert.equal(await modeOf('neither', { seccomp: undefined }), '0');
});
