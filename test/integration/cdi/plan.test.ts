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

test('in a pod with a user namespace a device node must be where the host has it', async (t) => {
  const same = await makePlan(t, { deviceNodes: [{ path: '/dev/null' }, { path: '/dev/zero', hostPath: '/dev/zero' }] });
  assert.deepEqual((await same(USER))?.deviceNodes.map(({ path }) => path), ['/dev/null', '/dev/zero']); // prettier-ignore

  const moved = await makePlan(t, { deviceNodes: [{ path: '/dev/full', hostPath: '/dev/null' }] });
  assert.equal((await moved())?.deviceNodes[0]?.minor, 3);
  await assert.rejects(moved(USER), {
    kind: 'FailedPrecondition',
    message: /a\.json has the host's device node \/dev\/null at \/dev\/full/,
  });
});

test('a container that asks for no device has no plan', async () => {
  const untouched = new SpecDirectories(() => assert.fail('the directories are looked at'), silentLog);
  assert.equal(await planCdiDevices(untouched, { config: containerConfig(), sandbox: sandbox(), runtime: RUNTIME }), undefined);
});
