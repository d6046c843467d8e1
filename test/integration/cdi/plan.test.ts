/** What the CDI devices of a request need of pod, runtime and node. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { SpecDirectories } from '../../../src/cdi/spec-directories.ts';
import { planCdiDevices } from '../../../src/container/cdi-devices.ts';
import { sandbox } from '../../support/objects.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { containerConfig, RUNTIME } from '../../support/spec-inputs.ts';

const NAMESPACES = sandbox().record.namespaces;
const ids = { hostId: 100_000, containerId: 0, length: 65_536 };
const USER = { ...NAMESPACES, user: { uids: ids, gids: ids } };

/** Plans a container that asks for one device with these edits. */
async function makePlan(t: TestContext, containerEdits: object) {
  const directory = await scratchDirectory(t, 'podwright-cdi');
  const devices = [{ name: '0', containerEdits }];
  await writeFile(join(directory, 'a.json'), JSON.stringify({ cdiVersion: '1.1.0', kind: 'vendor.com/gpu', devices }));
  const directories = new SpecDirectories(() => [directory], silentLog);
  const config = containerConfig({ cdiDevices: [{ name: 'vendor.com/gpu=0' }] });
  return async (namespaces = NAMESPACES, runtime = RUNTIME) =>
    planCdiDevices(directories, { config, sandbox: sandbox({ namespaces }), runtime });
}

test('network devices need a runtime that can move them, and a network namespace of the pod', async (t) => {
  const plan = await makePlan(t, { netDevices: [{ hostInterfaceName: 'ib0', name: 'net0' }] });
  const able = { ...RUNTIME, netDevices: true };

  assert.deepEqual((await plan(NAMESPACES, able))?.netDevices, [{ hostInterfaceName: 'ib0', name: 'net0' }]);
  await assert.rejects(plan(NAMESPACES, RUNTIME), { kind: 'FailedPrecondition', message: /CDI device vendor\.com\/gpu=0 of \S+a\.json has netDevices, and the runtime handler cannot/ }); // prettier-ignore
  await assert.rejects(plan({ ...NAMESPACES, net: 'node' }, able), { kind: 'InvalidArgument', message: /the node's network namespace/ });
});

test('in a pod with a user namespace the device must be one of the host, which is what the container gets', async (t) => {
  const there = { deviceNodes: [{ path: '/dev/null' }, { path: '/dev/elsewhere', hostPath: '/dev/zero' }] };
  const numbers = async (edits: object) => (await (await makePlan(t, edits))(USER))?.deviceNodes.map(({ major, minor }) => [major, minor]);
  assert.deepEqual(await numbers(there), [[1, 3], [1, 5]]); // prettier-ignore

  for (const node of [
    { path: '/dev/null', minor: 5 },
    { path: '/dev/none', minor: 3 },
    { path: '/dev/elsewhere', hostPath: '/dev/zero', minor: 3 },
  ]) {
    const plan = await makePlan(t, { deviceNodes: [{ ...node, type: 'c', major: 1 }] });
    assert.equal((await plan())?.deviceNodes[0]?.minor, node.minor);
    const message = new RegExp(`a\\.json: .*the host's node ${node.hostPath ?? node.path} .* type c and number 1:${node.minor}$`);
    await assert.rejects(plan(USER), { kind: 'FailedPrecondition', message });
  }
});

test('a container that asks for no device has no plan', async () => {
  const untouched = new SpecDirectories(() => assert.fail('the directories are looked at'), silentLog);
  assert.equal(await planCdiDevices(untouched, { config: containerConfig(), sandbox: sandbox(), runtime: RUNTIME }), undefined);
});
