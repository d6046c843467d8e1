import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { execa } from 'execa';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { VERSION } from '../../src/base/version.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, failureOf, outputOf, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts';
import { makeSelfSigned } from '../support/self-signed.ts';

const test = sharedDaemon();

test('Version names the runtime in all four fields', async (daemon) => {
  const answer = await daemon.runtime.version({ version: 'v1' });

  assert.deepEqual(answer, { version: '0.1.0', runtimeName: 'podwright', runtimeVersion: VERSION, runtimeApiVersion: 'v1' });
});

test('Status says RuntimeReady and NetworkReady, and features per runtime handler', async (daemon) => {
  const { status, runtimeHandlers, features } = await daemon.runtime.status({ verbose: false });

  const conditions = Object.fromEntries((status?.conditions ?? []).map((condition) => [condition.type, condition.status]));
  assert.deepEqual(conditions, { RuntimeReady: true, NetworkReady: true });
  assert.ok(
    runtimeHandlers.some((handler) => handler.name === ''),
    'no entry for the default handler',
  );
  assert.ok(
    runtimeHandlers.some((handler) => handler.name === 'runc'),
    'no entry for runc',
  );
  assert.equal(features?.supplementalGroupsPolicy, true);
});

test('Status verbose carries JSON', async (daemon) => {
  const { info } = await daemon.runtime.status({ verbose: true });

  assert.ok(Object.keys(info).length > 0, 'info is empty');
  for (const text of Object.values(info)) JSON.parse(text);
});

test('RuntimeConfig names the cgroup driver, UpdateRuntimeConfig takes a pod CIDR', async (daemon) => {
  const { linux } = await daemon.runtime.runtimeConfig({});
  assert.equal(linux?.cgroupDriver, 1, 'must be CGROUPFS, as this daemon is told');

  await daemon.runtime.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr: '10.1.0.0/24,fd00::/64' } } });
});

test('what is not there: status calls answer NOT_FOUND, stop and remove succeed', async (daemon) => {
  const id = 'f'.repeat(64);

  assert.equal((await failureOf(daemon.runtime.podSandboxStatus({ podSandboxId: id }))).code, 'NOT_FOUND');
  assert.equal((await failureOf(daemon.runtime.containerStatus({ containerId: id }))).code, 'NOT_FOUND');
  assert.equal((await failureOf(daemon.runtime.startContainer({ containerId: id }))).code, 'NOT_FOUND');
  assert.equal((await failureOf(daemon.runtime.execSync({ containerId: id, cmd: ['true'] }))).code, 'NOT_FOUND');
  await daemon.runtime.stopPodSandbox({ podSandboxId: id });
  await daemon.runtime.removePodSandbox({ podSandboxId: id });
  await daemon.runtime.stopContainer({ containerId: id });
  await daemon.runtime.removeContainer({ containerId: id });
});

e2eTest(
  'without a CNI configuration NetworkReady is false with a reason, and a pod on the node network still runs',
  async (daemon) => {
    const { status } = await daemon.runtime.status({});
    const network = status?.conditions.find((condition) => condition.type === 'NetworkReady');
    assert.equal(network?.status, false);
    assert.equal(network.reason, 'NetworkPluginNotReady');
    assert.notEqual(network.message, '');

    const refused = await failureOf(runPod(daemon));
    assert.notEqual(refused.message, '');

    const pod = await runPod(daemon, { namespaces: { network: NamespaceMode.NODE } });
    const id = await runContainer(daemon, pod, shell('hostname'));
    const { exitCode, reason } = await waitForExit(daemon, id);
    assert.deepEqual({ exitCode, reason }, { exitCode: 0, reason: 'Completed' });

    // The network comes later, as on a node where the CNI plugin is a daemon set.
    await daemon.writeCniConf(daemon.bridgePlugins());
    await until('NetworkReady becomes true', async () => {
      const now = await daemon.runtime.status({});
      return now.status?.conditions.find((condition) => condition.type === 'NetworkReady')?.status === true;
    });
    await runPod(daemon);
  },
  { cniPlugins: 'none' },
);

test('a container started and stopped leaves its log to the kubelet', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('echo one; echo two >&2'));
  await waitForExit(daemon, id);
  const { logPath } = await containerStatus(daemon, id);
  assert.deepEqual((await outputOf(daemon, id)).sort(), ['one', 'two']);
  await daemon.runtime.removeContainer({ containerId: id });

  assert.match(await readFile(logPath, 'utf8'), /one/);
});

e2eTest('--metrics-listen takes the path of a unix socket, with unix:// or without', async (daemon) => {
  for (const prefix of ['', 'unix://']) {
    const socketPath = join(daemon.directory, 'metrics.sock');
    await daemon.stop();
    await writeFile(join(daemon.directory, 'conf.d/metrics.toml'), `[metrics]\nlisten = "${prefix}${socketPath}"\n`);
    await daemon.start();
    const text = await new Promise<string>((resolve, reject) => {
      get({ socketPath, path: '/metrics' }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString())).on('end', () => { resolve(body); }); // prettier-ignore
      }).on('error', reject);
    });
    assert.match(text, /^podwright_build_info/m);
  }
});

e2eTest('metrics.tls_cert and tls_key reach the listener', async (daemon) => {
  const socketPath = join(daemon.directory, 'metrics.sock');
  await makeSelfSigned(daemon.directory, 'metrics');
  const [cert, key] = ['crt', 'key'].map((end) => join(daemon.directory, `metrics.${end}`));
  await daemon.stop();
  const keys = `[metrics]\nlisten = "${socketPath}"\ntls_cert = "${cert}"\ntls_key = "${key}"\n`;
  await writeFile(join(daemon.directory, 'conf.d/metrics.toml'), keys);
  await daemon.start();
  const scrape = ['--silent', '--fail', '--unix-socket', socketPath];
  // The certificate signs itself.
  const { stdout } = await execa('curl', [...scrape, '--cacert', cert ?? '', 'https://127.0.0.1/metrics']);
  assert.match(stdout, /^podwright_build_info/m);
  await assert.rejects(execa('curl', [...scrape, 'http://127.0.0.1/metrics']), 'plain HTTP is refused');
});
