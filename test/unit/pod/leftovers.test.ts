import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog, type LogFields } from '../../../src/base/log.ts';
import { inventoryOf, type InventoryKind } from '../../../src/pod/inventory.ts';
import { removeUnclaimed } from '../../../src/pod/leftovers.ts';
import type { RestoreParts } from '../../../src/pod/restore.ts';
import { CONTAINER_ID, SANDBOX_ID } from '../../support/objects.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const [LOST, OTHER] = ['a'.repeat(64), 'b'.repeat(64)];

/** A log that keeps its lines. */
function lines() {
  const told: string[] = [];
  const tell = (message: string, fields: LogFields = {}): void => {
    const error = typeof fields.error === 'string' ? ` (${fields.error})` : '';
    told.push(`${message} ${fields.sandboxId ?? fields.containerId ?? fields.path}${error}`);
  };
  return { told, log: { ...silentLog, warn: tell, error: tell } };
}

/** A kind of which there are these, and what was done with it. */
function kind(
  name: InventoryKind['kind'],
  there: readonly string[],
  claimed: readonly string[],
  done: string[],
  fails = '',
): InventoryKind {
  return {
    kind: name,
    list: async () => {
      done.push(`list ${name}`);
      return there;
    },
    isClaimed: (id) => claimed.includes(id),
    remove: async (id) => {
      if (id === fails) throw new Error('it is busy');
      done.push(`remove ${name} ${id}`);
    },
    fields: (id) => ({ containerId: id }),
  };
}

test('what no record claims is removed by its own kind, in their order, once all is found; what is claimed is left alone', async () => {
  const done: string[] = [];
  const { told, log } = lines();
  await removeUnclaimed([kind('rootfs', ['1', '2', '3'], ['2'], done), kind('exit file', ['2', '4'], ['2'], done)], log);
  assert.deepEqual(done, ['list rootfs', 'list exit file', 'remove rootfs 1', 'remove rootfs 3', 'remove exit file 4']);
  assert.deepEqual(told, [
    'removed what no record claims: rootfs 1',
    'removed what no record claims: rootfs 3',
    'removed what no record claims: exit file 4',
  ]);
});

test('what cannot be removed is told, and does not stop the rest', async () => {
  const done: string[] = [];
  const { told, log } = lines();
  await removeUnclaimed([kind('bundle', ['1', '2'], [], done, '1'), kind('rootfs', ['1'], [], done)], log);
  assert.deepEqual(told, [
    'removing what no record claims failed: bundle 1 (it is busy)',
    'removed what no record claims: bundle 2',
    'removed what no record claims: rootfs 1',
  ]);
});

/** A node whose records know one sandbox and one container; its directories are real, what is not a directory has `there`. */
async function node(directory: string, there: readonly string[], needsNamespace = ''): Promise<readonly InventoryKind[]> {
  const at = (name: string): string => join(directory, name);
  const parts = {
    sandboxes: { store: { claims: (id: string) => id === SANDBOX_ID, list: () => [], listCreating: () => [] } },
    containers: { store: { claims: (id: string) => id === CONTAINER_ID } },
    sandboxParts: {
      directories: { files: at('sandboxes'), namespaces: at('ns'), infra: at('infra'), networkCgroups: at('network-cgroups') },
      networks: { attachments: async () => there, needsNamespace: (id: string) => id === needsNamespace },
      monitor: { exitDirectory: at('exits') },
      runtimes: { names: ['runc'], get: () => ({ ids: async () => (there.length === 0 ? [] : [...there, OTHER]) }) },
    },
    containerParts: { bundleDirectory: at('bundles'), rootfs: { list: async () => there } },
  } as unknown as RestoreParts;
  for (const name of ['bundles', 'sandboxes', 'ns', 'infra', 'network-cgroups', 'exits'])
    for (const id of there) await mkdir(join(at(name), id), { recursive: true });
  return inventoryOf(parts);
}

test('every kind of the inventory lists what is there, and takes for its own what the right record claims', async (t) => {
  const kinds = await node(await scratchDirectory(t), [LOST, SANDBOX_ID, CONTAINER_ID]);
  const found = await Promise.all(
    kinds.map(async (each) => [each.kind, (await each.list()).filter((id) => !each.isClaimed(id)).sort(), each.fields(LOST)]),
  );
  const [sandbox, container] = [{ sandboxId: LOST }, { containerId: LOST }];
  const [ofSandbox, ofContainer] = [[LOST, CONTAINER_ID].sort(), [SANDBOX_ID, LOST].sort()];
  assert.deepEqual(found, [
    ['attachment', ofSandbox, sandbox],
    ['namespace', ofSandbox, sandbox],
    ['infra bundle', ofSandbox, sandbox],
    ['network cgroup', ofSandbox, sandbox],
    ['bundle', ofContainer, container],
    // Those that have a bundle are told as that.
    ['container', [OTHER], container],
    ['directory', ofSandbox, sandbox],
    ['rootfs', ofContainer, container],
    ['exit file', [LOST], { path: kinds.at(-1)?.fields(LOST).path }],
  ]);
});

test('a namespace that a queued release of the network needs is claimed', async (t) => {
  const kinds = await node(await scratchDirectory(t), [LOST, OTHER], OTHER);
  assert.deepEqual(kinds.filter((each) => !each.isClaimed(OTHER)).length, kinds.length - 1);
  assert.equal(kinds.find(({ kind: name }) => name === 'namespace')?.isClaimed(OTHER), true);
});

test('only files that are named by an id are left over; the others are not ours to remove', async (t) => {
  const directory = await scratchDirectory(t);
  const kinds = await node(directory, []);
  await mkdir(join(directory, 'exits'));
  for (const name of [LOST, SANDBOX_ID, CONTAINER_ID, `${OTHER}.tmp`, 'rootfs']) await writeFile(join(directory, 'exits', name), '0');
  const { told, log } = lines();
  await removeUnclaimed(kinds, log);
  assert.deepEqual((await readdir(join(directory, 'exits'))).sort(), [SANDBOX_ID, `${OTHER}.tmp`, CONTAINER_ID, 'rootfs'].sort());
  assert.deepEqual(told, [`removed what no record claims: exit file ${join(directory, 'exits', LOST)}`]);
});
