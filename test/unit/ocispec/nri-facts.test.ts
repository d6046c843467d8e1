import assert from 'node:assert/strict';
import { lstat } from 'node:fs/promises';
import { test } from 'node:test';
import { splitDeviceNumber } from '../../../src/linux/device-number.ts';
import { readAdjustmentFacts } from '../../../src/ocispec/nri-facts.ts';
import { adjustment, linuxAdjustment } from '../../support/nri-adjustments.ts';

const IDS = { containerId: 0, hostId: 100_000, length: 65_536 };
const USER_NAMESPACE = { uids: IDS, gids: IDS };

test('the node is looked at for mounts and for devices in a user namespace, and for nothing else', async () => {
  const nothing = { hostMounts: [], deviceSources: new Map() };
  const plain = adjustment({ args: ['sh'], linux: { devices: [{ path: '/dev/null', type: 'c', major: 1n, minor: 3n }] } });
  assert.deepStrictEqual(await readAdjustmentFacts(plain, undefined), nothing);
  assert.deepStrictEqual(await readAdjustmentFacts(linuxAdjustment({ devices: [{ path: '-/dev/null' }] }), USER_NAMESPACE), nothing);
  for (const asking of [adjustment({ mounts: [{ destination: '/x' }] }), linuxAdjustment({ resources: { rdtClass: { value: 'a' } } })]) {
    const { hostMounts } = await readAdjustmentFacts(asking, undefined);
    assert.ok(hostMounts.some(({ target }) => target === '/'));
  }
});

test('a device is found at its own path, or by its number anywhere in /dev; a pipe and one that is nowhere is not', async () => {
  const zero = splitDeviceNumber((await lstat('/dev/zero')).rdev);
  const device = { type: 'c', major: BigInt(zero.major), minor: BigInt(zero.minor) };
  const { deviceSources } = await readAdjustmentFacts(
    linuxAdjustment({
      devices: [
        { ...device, path: '/dev/zero' },
        { ...device, path: '/dev/null' },
        { ...device, path: '/dev/none/such' },
        { ...device, path: '/etc/zero', type: 'u' },
        { ...device, path: '/dev/block', type: 'b', major: 4000n },
        { path: '/dev/pipe', type: 'p' },
      ],
    }),
    USER_NAMESPACE,
  );
  const found = Object.fromEntries(deviceSources);
  assert.deepStrictEqual(found, {
    '/dev/zero': '/dev/zero',
    '/dev/null': '/dev/zero',
    '/dev/none/such': '/dev/zero',
    '/etc/zero': '/dev/zero',
  });
});
