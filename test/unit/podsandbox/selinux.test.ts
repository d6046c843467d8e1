import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseLabels, labelsOfContainer, takenLevels } from '../../../src/podsandbox/selinux.ts';
import type { SandboxStore } from '../../../src/podsandbox/sandbox-store.ts';
import type { SandboxRecord } from '../../../src/podsandbox/sandbox.ts';
import type { SelinuxFacts } from '../../../src/ocispec/selinux.ts';
import { sandboxConfig } from '../../support/spec-inputs.ts';

const FACTS: SelinuxFacts = {
  defaults: { process: 'system_u:system_r:container_t:s0', mount: 'system_u:object_r:container_file_t:s0' },
  hostNetworkUnconfined: true,
};
const OWN = { net: 'pod', ipc: 'pod', pid: 'container' } as const;

test('pods have levels of their own', () => {
  const made: { record: SandboxRecord }[] = [];
  const store = { list: () => made, listCreating: () => [] } as unknown as SandboxStore;
  for (let count = 0; count < 500; count += 1)
    made.push({ record: { selinux: chooseLabels(sandboxConfig(), { selinux: FACTS, store }) } as SandboxRecord });
  const labels = made.map(({ record }) => record.selinux?.mount ?? '');
  assert.equal(new Set(labels).size, 500);
  assert.ok(labels.every((label) => /:s0:c\d+,c\d+$/.test(label)));
});

test('a level is taken while its pod is on record, one that is being made too', () => {
  const record = (level: string): SandboxRecord =>
    ({ selinux: { ...FACTS.defaults, mount: `system_u:object_r:container_file_t:${level}` } }) as SandboxRecord;
  const store = {
    list: () => [{ record: record('s0:c1,c2') }, { record: {} }],
    listCreating: () => [record('s0:c3,c4')],
  } as unknown as SandboxStore;
  assert.deepEqual([...takenLevels(store)], ['s0:c1,c2', 's0:c3,c4']);
});

test('a pod has no labels where the node gives none', () => {
  const store = { list: () => [], listCreating: () => [] } as unknown as SandboxStore;
  assert.equal(chooseLabels(sandboxConfig(), { selinux: undefined, store }), undefined);
});

test("labelsOfContainer() is not confined with the node's processes, memory, or network where the configuration says so", () => {
  const selinux = chooseLabels(sandboxConfig(), { selinux: FACTS, store: { list: () => [], listCreating: () => [] } });
  const typeOf = (namespaces: Partial<SandboxRecord['namespaces']>, facts = FACTS): string | undefined =>
    labelsOfContainer({ selinux, config: sandboxConfig(), namespaces: { ...OWN, ...namespaces } }, undefined, facts)?.process.split(':')[2];

  assert.equal(typeOf({}), 'container_t');
  for (const namespaces of [{ pid: 'node' }, { ipc: 'node' }, { net: 'node' }] as const) assert.equal(typeOf(namespaces), 'spc_t');
  assert.equal(typeOf({ net: 'node' }, { ...FACTS, hostNetworkUnconfined: false }), 'container_t');
});

test('containers of a pod from before there were labels get none, nor after there are none any more', () => {
  const before = { selinux: undefined, config: sandboxConfig(), namespaces: OWN };
  assert.equal(labelsOfContainer(before, undefined, FACTS), undefined);
  assert.equal(labelsOfContainer({ ...before, selinux: FACTS.defaults }, undefined, undefined), undefined);
});
