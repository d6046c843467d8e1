/** crictl (kubernetes-sigs/cri-tools) as a client that is not ours. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after } from 'node:test';
import { execa } from 'execa';
import { writeJson } from 'fs-extra/esm';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import { crictlCommand, noCrictl } from '../support/crictl.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { until } from '../support/pods.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../support/registry.ts';
import { IMAGES, testImages } from '../support/test-image.ts';

let open: TestRegistry | undefined;
let guarded: TestRegistry | undefined;
const test = sharedDaemon({
  skip: noCrictl || noRegistry,
  prepare: async () => {
    open = await TestRegistry.start();
    guarded = await TestRegistry.start({ private: true });
    return { config: await open.daemonConfig({ [guarded.host]: guarded.host }) };
  },
});
after(async () => {
  await open?.stop();
  await guarded?.stop();
});

/** What crictl prints. @throws with what it says on standard error where it fails. */
async function crictl(daemon: TestDaemon, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execa(...(await crictlCommand(daemon, args)));
  return stdout.trim();
}

interface Files {
  readonly pod: string;
  readonly container: string;
}

/** The configs of a pod and of a container in it, as files for crictl. */
async function writeConfigs(daemon: TestDaemon, name: string, command: readonly string[]): Promise<Files> {
  const files = { pod: join(daemon.directory, `${name}-pod.json`), container: join(daemon.directory, `${name}-container.json`) };
  const security_context = { namespace_options: { network: 0, pid: 1, ipc: 0 } };
  const pod = {
    metadata: { name, namespace: 'e2e', uid: `uid-${name}`, attempt: 0 },
    log_directory: join(daemon.logDirectory, name),
    linux: { cgroup_parent: `${daemon.cgroup}/pod-${name}`, security_context },
  };
  const container = { metadata: { name: 'main' }, image: { image: IMAGES.busybox }, command, log_path: 'main.log', linux: { security_context } }; // prettier-ignore
  await writeJson(files.pod, pod);
  await writeJson(files.container, container);
  return files;
}

async function startContainer(daemon: TestDaemon, pod: string, files: Files): Promise<string> {
  const container = await crictl(daemon, 'create', pod, files.container, files.pod);
  await crictl(daemon, 'start', container);
  return container;
}

test('crictl drives a pod from runp to rmp', async (daemon, context) => {
  assert.match(await crictl(daemon, 'version'), /RuntimeName: {2}podwright/);
  assert.match(await crictl(daemon, 'info'), /"RuntimeReady"/);
  assert.match(await crictl(daemon, 'images'), /podwright-test\/busybox/);
  assert.match(await crictl(daemon, 'inspecti', IMAGES.busybox), /"repoTags"/);
  assert.notEqual(await crictl(daemon, 'imagefsinfo'), '');
  const files = await writeConfigs(daemon, 'by-crictl', ['sh', '-c', 'echo from-crictl; sleep 3600']);

  const pod = await crictl(daemon, 'runp', files.pod);
  assert.match(await crictl(daemon, 'pods'), new RegExp(`${pod.slice(0, 13)}.*Ready.*by-crictl`));
  assert.match(await crictl(daemon, 'inspectp', pod), /"state": "SANDBOX_READY"/);
  const container = await crictl(daemon, 'create', pod, files.container, files.pod);
  assert.match(await crictl(daemon, 'start', container), new RegExp(container));
  assert.match(await crictl(daemon, 'ps'), new RegExp(`${container.slice(0, 13)}.*Running`));
  assert.match(await crictl(daemon, 'inspect', container), /"state": "CONTAINER_RUNNING"/);
  assert.equal(await crictl(daemon, 'exec', '-s', container, 'echo', 'hello'), 'hello');
  await until('the log has its line', async () => (await crictl(daemon, 'logs', container)) === 'from-crictl');
  await crictl(daemon, 'stop', '--timeout', '1', container);
  assert.match(await crictl(daemon, 'ps', '-a'), /Exited/);
  await crictl(daemon, 'rm', container);
  await crictl(daemon, 'stopp', pod);
  assert.match(await crictl(daemon, 'pods'), /NotReady/);
  await crictl(daemon, 'rmp', pod);
  context.diagnostic(await crictl(daemon, '--version'));
});

test('crictl runp takes a runtime handler by name, and is told which there are', async (daemon) => {
  const { pod: file } = await writeConfigs(daemon, 'handler', ['sleep', '3600']);
  const pod = await crictl(daemon, 'runp', '--runtime', 'runc', file);

  assert.match(await crictl(daemon, 'inspectp', pod), /"runtimeHandler": "runc"/);
  await crictl(daemon, 'rmp', '--force', pod);
  await assert.rejects(crictl(daemon, 'runp', '--runtime', 'absent', file), /absent.*runc/s);
  assert.equal(await crictl(daemon, 'pods', '-q'), '');
});

test('crictl pull needs the credentials of a private registry, by --creds or --auth; rmi removes', async (daemon) => {
  assert.ok(guarded);
  const { busybox } = await testImages();
  const { imageId } = await guarded.push({ ...busybox, config: { ...busybox.config, Labels: { of: 'crictl' } } }, 'secret', ['1']);
  const name = `${guarded.host}/secret:1`;
  await assert.rejects(crictl(daemon, 'pull', name), /401/);
  await assert.rejects(crictl(daemon, 'pull', '--creds', `${ACCOUNT.username}:wrong`, name), /401/);
  assert.doesNotMatch(await crictl(daemon, 'images'), /secret/);

  const credentials = `${ACCOUNT.username}:${ACCOUNT.password}`;
  for (const option of [
    ['--creds', credentials],
    ['--auth', Buffer.from(credentials).toString('base64')],
  ]) {
    // prettier-ignore
    assert.match(await crictl(daemon, 'pull', ...option, name), new RegExp(imageId));
    assert.match(await crictl(daemon, 'images', '--no-trunc'), new RegExp(`secret.*${imageId}`));
    await crictl(daemon, 'rmi', name);
    assert.doesNotMatch(await crictl(daemon, 'images'), /secret/);
  }
});

test('crictl pull without credentials, by tag and by digest', async (daemon) => {
  assert.ok(open);
  const { busybox } = await testImages();
  const { imageId, digest } = await open.push({ ...busybox, config: { ...busybox.config, Labels: { of: 'all' } } }, 'open', ['1']);
  for (const name of [`${open.host}/open:1`, `${open.host}/open@${digest}`]) {
    assert.match(await crictl(daemon, 'pull', name), new RegExp(imageId));
    assert.match(await crictl(daemon, 'inspecti', name), new RegExp(`"id": "${imageId}"`));
    await crictl(daemon, 'rmi', imageId);
  }
  await assert.rejects(crictl(daemon, 'pull', `${open.host}/absent:1`), /NotFound|not found/);
});

test('crictl metricdescs and metricsp show the metrics of a pod', async (daemon) => {
  const files = await writeConfigs(daemon, 'scraped', ['sleep', '3600']);
  const pod = await crictl(daemon, 'runp', files.pod);
  await startContainer(daemon, pod, files);

  assert.match(await crictl(daemon, 'metricdescs'), /container_memory_working_set_bytes/);
  const { podMetrics } = JSON.parse(await crictl(daemon, 'metricsp')) as {
    podMetrics: { podSandboxId: string; containerMetrics: object[] }[];
  };
  assert.deepEqual(podMetrics.map(({ podSandboxId, containerMetrics }) => [podSandboxId, containerMetrics.length]), [[pod, 1]]); // prettier-ignore
});

test('crictl events shows each step of a pod', async (daemon) => {
  const child = execa(...(await crictlCommand(daemon, ['events'])), { stdio: ['ignore', 'pipe', 'ignore'], reject: false });
  try {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const files = await writeConfigs(daemon, 'followed', ['sleep', '3600']);
    await until('the stream is open', async () => {
      await crictl(daemon, 'rmp', '--force', await crictl(daemon, 'runp', files.pod));
      return output.includes('CONTAINER_DELETED_EVENT');
    });
    const pod = await crictl(daemon, 'runp', files.pod);
    const container = await startContainer(daemon, pod, files);
    await until('the start is told', async () => new RegExp(`"containerId":\\s*"${container}"[^]*CONTAINER_STARTED_EVENT`).test(output));
  } finally {
    child.kill();
    await child;
  }
});

interface Stats {
  readonly stats: readonly {
    readonly attributes: { readonly id: string };
    readonly cpu?: { readonly usageCoreNanoSeconds?: { readonly value: string } };
    readonly linux?: { readonly cpu?: { readonly usageCoreNanoSeconds?: { readonly value: string } } };
  }[];
}

test('crictl update changes limits; stats and statsp show the container and the pod', async (daemon) => {
  const files = await writeConfigs(daemon, 'measured', ['sh', '-c', 'while :; do :; done']);
  const pod = await crictl(daemon, 'runp', files.pod);
  const container = await startContainer(daemon, pod, files);
  await crictl(daemon, 'update', '--memory', String(96 << 20), '--cpu-period', '100000', '--cpu-quota', '20000', container);

  const pid = await pidOf(daemon, container);
  assert.equal(await cgroupFile(pid, ['memory.limit_in_bytes', 'memory.max']), String(96 << 20));
  assert.match(await cgroupFile(pid, ['cpu.cfs_quota_us', 'cpu.max']), /^20000\b/);
  assert.match(await crictl(daemon, 'inspect', container), /"memoryLimitInBytes": "?100663296"?/);

  const { stats } = JSON.parse(await crictl(daemon, 'stats', '-o', 'json', container)) as Stats;
  assert.deepEqual(stats.map(({ attributes }) => attributes.id), [container]); // prettier-ignore
  assert.ok(Number(stats[0]?.cpu?.usageCoreNanoSeconds?.value) > 1_000_000);
  assert.match(await crictl(daemon, 'stats'), new RegExp(`${container.slice(0, 13)}\\s+main`));
  const pods = JSON.parse(await crictl(daemon, 'statsp', '-o', 'json', pod)) as Stats;
  assert.deepEqual(pods.stats.map(({ attributes }) => attributes.id), [pod]); // prettier-ignore
  assert.ok(Number(pods.stats[0]?.linux?.cpu?.usageCoreNanoSeconds?.value) > 1_000_000);
  assert.match(await crictl(daemon, 'statsp'), new RegExp(`measured.*${pod.slice(0, 13)}`, 's'));
});
