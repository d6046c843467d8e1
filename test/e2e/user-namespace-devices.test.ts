/** Devices in pods with user namespaces, where nobody can make a device node: which device is seen in the container. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { ensureDir, remove, writeJson } from 'fs-extra/esm';
import type { ContainerConfig, Init } from '../../api/cri/runtime.ts';
import { sharedDaemon, type E2eBody } from '../support/e2e-test.ts';
import { createContainer, execOutput, execSync, failureOf, runContainer, runPod, shell } from '../support/pods.ts';
import { noUserNamespaces, userRuntimes, withUsers } from '../support/user-namespaces.ts';

const directory = await mkdtemp(join(tmpdir(), 'pw-userns-cdi-'));
const runtimes = userRuntimes.length === 0 ? [{ name: 'none', args: [] }] : userRuntimes;
const daemons = runtimes.map(({ name, args }) => {
  return { name, test: sharedDaemon({ args, skip: noUserNamespaces, config: `cdi_spec_dirs = ["${directory}"]\n` }) };
});
function test(title: string, body: E2eBody): void {
  for (const daemon of daemons) daemon.test(`${title} (${daemon.name})`, body);
}

const SLEEP = ['sleep', '3600'];
/** /dev/full: writing to it fails with words of its own. */
const FULL = '1:7';
const FULL_WORDS = /No space left on device/;
/** Places without a device on the host, and in a directory that is not there. */
const PLACES = ['/dev/elsewhere', '/dev/sub/folder/full', '/opt/full'];

before(async () => {
  await chmod(directory, 0o755);
  await ensureDir(join(directory, 'of-root'));
  await writeFile(join(directory, 'of-root/file'), 'vendor\n', { mode: 0o644 });
  const nodes = PLACES.map((path, index) => ({
    name: String(index),
    containerEdits: { deviceNodes: [{ path, hostPath: '/dev/full' }] },
  }));
  const mounts = [{ hostPath: join(directory, 'of-root'), containerPath: '/opt/vendor', options: ['bind', 'ro'] }];
  const other = { name: 'other', containerEdits: { deviceNodes: [{ path: '/dev/full', type: 'c', major: 1, minor: 5 }] } };
  const devices = [...nodes, { name: 'mounts', containerEdits: { mounts } }, other];
  await writeJson(join(directory, 'vendor.json'), { cdiVersion: '1.1.0', kind: 'vendor.com/dev', devices });
});
after(async () => {
  await remove(directory);
});

const named = (name: string): Init<ContainerConfig> => ({ cdiDevices: [{ name: `vendor.com/dev=${name}` }] });

test('a device at another path than on the host is the one that was asked for, by request and by CDI', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  for (const [index, containerPath] of PLACES.entries()) {
    const device = { hostPath: '/dev/full', containerPath, permissions: 'rw' };
    for (const [name, change] of [
      [`request-${index}`, { devices: [device] }],
      [`cdi-${index}`, named(String(index))],
    ] as const) {
      const id = await runContainer(daemon, pod, SLEEP, { name, change });
      assert.equal(await execOutput(daemon, id, ['stat', '-c', '%t:%T', containerPath]), FULL, `${name}: ${containerPath}`);
      const { exitCode, stderr } = await execSync(daemon, id, shell(`echo x > ${containerPath}`));
      assert.notEqual(exitCode, 0);
      assert.match(Buffer.from(stderr).toString(), FULL_WORDS, `${name}: ${containerPath}`);
      await daemon.runtime.removeContainer({ containerId: id });
    }
  }
});

test('it takes the place of another device of the host, of which nothing is seen', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const devices = [{ hostPath: '/dev/full', containerPath: '/dev/loop-control', permissions: 'rw' }];
  const id = await runContainer(daemon, pod, SLEEP, { change: { devices } });
  assert.equal(await execOutput(daemon, id, ['stat', '-c', '%t:%T', '/dev/loop-control']), FULL);
});

test('what the host does not have, or has as another device, is refused by the device and the file', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const { code, message } = await failureOf(createContainer(daemon, pod, SLEEP, { change: named('other') }));
  assert.equal(code, 'FAILED_PRECONDITION');
  assert.match(message, /CDI device vendor\.com\/dev=other of \S+vendor\.json: .*the host's node \/dev\/full .*type c and number 1:5/);
});

test("CDI's mounts have the owners of the node, whom the pod does not know, and can be read as others may", async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const id = await runContainer(daemon, pod, SLEEP, { change: named('mounts') });
  assert.equal(await execOutput(daemon, id, shell('cat /opt/vendor/file; stat -c %u:%g /opt/vendor/file')), 'vendor\n65534:65534');
});
