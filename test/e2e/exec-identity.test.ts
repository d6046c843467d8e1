import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readJson, writeJson } from 'fs-extra/esm';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { execOutput, runContainer, runPod, shell } from '../support/pods.ts';

/** Who a command in a container is, and what it may: as the kernel says. */
async function identityIn(daemon: TestDaemon, id: string): Promise<string> {
  return execOutput(daemon, id, shell('grep -E "^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; env | sort'));
}

e2eTest('a command gets the rights that its container was made with, whatever its bundle says by then', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['sleep', '3600']);
  const before = await identityIn(daemon, id);

  const file = join(daemon.runDir, 'bundles', id, 'config.json');
  const spec = (await readJson(file)) as { process: Record<string, unknown> };
  const all = ['CAP_SYS_ADMIN', 'CAP_MKNOD', 'CAP_SYS_PTRACE', 'CAP_NET_ADMIN'];
  Object.assign(spec.process, {
    capabilities: { bounding: all, effective: all, permitted: all },
    user: { uid: 12, gid: 34 },
    env: ['PATH=/bin', 'FROM=container'],
  });
  await writeJson(file, spec);

  assert.equal(await identityIn(daemon, id), before);
  await daemon.restart();
  assert.equal(await identityIn(daemon, id), before);
});
