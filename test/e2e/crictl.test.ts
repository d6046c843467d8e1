import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import { until } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

/** $CRICTL, or crictl in PATH. */
async function findCrictl(): Promise<string | undefined> {
  const candidates = [process.env['CRICTL'], ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'crictl'))];
  for (const path of candidates) {
    if (path === undefined) continue;
    try {
      await access(path);
      return path;
    } catch {
      // The next one.
    }
  }
  return undefined;
}

const crictlPath = await findCrictl();

test(
  'crictl drives a pod from runp to rmp',
  { skip: crictlPath === undefined && 'crictl is neither $CRICTL nor in PATH' },
  async (context) => {
    const daemon = await TestDaemon.start();
    const crictl = async (...args: string[]): Promise<string> => {
      const { stdout } = await promisify(execFile)(crictlPath ?? '', ['-r', `unix://${daemon.socket}`, '-t', '30s', ...args]);
      return stdout.trim();
    };
    try {
      const before = await inventoryOf(daemon);
      assert.match(await crictl('version'), /RuntimeName: {2}podwright/);
      assert.match(await crictl('info'), /"RuntimeReady"/);
      assert.match(await crictl('images'), /podwright-test\/busybox/);
      assert.match(await crictl('inspecti', IMAGES.busybox), /"repoTags"/);
      assert.notEqual(await crictl('imagefsinfo'), '');

      const podFile = join(daemon.directory, 'pod.json');
      const containerFile = join(daemon.directory, 'container.json');
      const metadata = { name: 'by-crictl', namespace: 'e2e', uid: 'uid-crictl', attempt: 0 };
      const namespaceOptions = { network: 0, pid: 1, ipc: 0 };
      await writeFile(podFile, JSON.stringify({ metadata, log_directory: join(daemon.logDirectory, 'crictl'), linux: { cgroup_parent: `${daemon.cgroup}/pod-crictl`, security_context: { namespace_options: namespaceOptions } } })); // prettier-ignore
      await writeFile(containerFile, JSON.stringify({ metadata: { name: 'main' }, image: { image: IMAGES.busybox }, command: ['sh', '-c', 'echo from-crictl; sleep 3600'], log_path: 'main.log', linux: { security_context: { namespace_options: namespaceOptions } } })); // prettier-ignore

      const pod = await crictl('runp', podFile);
      assert.match(await crictl('pods'), new RegExp(`${pod.slice(0, 13)}.*Ready.*by-crictl`));
      assert.match(await crictl('inspectp', pod), /"state": "SANDBOX_READY"/);
      const container = await crictl('create', pod, containerFile, podFile);
      assert.match(await crictl('start', container), new RegExp(container));
      assert.match(await crictl('ps'), new RegExp(`${container.slice(0, 13)}.*Running`));
      assert.match(await crictl('inspect', container), /"state": "CONTAINER_RUNNING"/);
      assert.equal(await crictl('exec', '-s', container, 'echo', 'hello'), 'hello');
      await until('the log has its line', async () => (await crictl('logs', container)) === 'from-crictl');
      await crictl('stop', '--timeout', '1', container);
      assert.match(await crictl('ps', '-a'), /Exited/);
      await crictl('rm', container);
      await crictl('stopp', pod);
      assert.match(await crictl('pods'), /NotReady/);
      await crictl('rmp', pod);
      await assertNothingNew(daemon, before);

      await crictl('rmi', IMAGES.busybox);
      assert.doesNotMatch(await crictl('images'), /busybox/);
      context.diagnostic(await crictl('--version'));
    } catch (error) {
      process.stdout.write(await daemon.logTail());
      throw error;
    } finally {
      await daemon.destroy();
    }
  },
);
