import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEdits } from '../../../src/cdi/read-edits.ts';
import { Field } from '../../../src/base/field.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { mergeCdiEdits, type CdiEdits } from '../../../src/ocispec/cdi-edits.ts';
import { containerInput, securityContext } from '../../support/spec-inputs.ts';

/** Edits as a spec file has them; device nodes are complete already. */
const edits = (document: object): CdiEdits => readEdits(new Field(document, '')) as CdiEdits;

test('a container without CDI devices has a spec without a trace of them', () => {
  const spec = buildSpec(containerInput());
  assert.deepEqual([spec.hooks, spec.linux.netDevices, spec.linux.intelRdt], [undefined, undefined, undefined]);
  assert.deepEqual(buildSpec(containerInput({ cdi: mergeCdiEdits([]) })), spec);
});

test('edits come on top of what the request says: its mounts, variables, devices and groups', () => {
  const node = { path: '/dev/gpu', type: 'c', major: 195, minor: 0, permissions: 'rw' };
  const cdi = edits({
    env: ['HOSTNAME=other', 'GPU=0'],
    deviceNodes: [node, { ...node, path: '/dev/own', fileMode: 0o600, uid: 0, gid: 44 }],
    mounts: [{ hostPath: '/opt/hosts', containerPath: '/etc/hosts', options: ['bind'] }],
    hooks: [{ hookName: 'createRuntime', path: '/bin/hook', timeout: 5 }],
    additionalGids: [44, 1000, 0],
    netDevices: [{ hostInterfaceName: 'ib0', name: 'net0' }],
    intelRdt: { closID: 'gold' },
  });
  const ofNode = { path: '/bin/node' };
  const spec = buildSpec(containerInput({ cdi, hooks: { createRuntime: [ofNode], poststop: [ofNode] } }));

  assert.ok(spec.process.env.includes('GPU=0'));
  assert.deepEqual(spec.process.env.filter((entry) => entry.startsWith('HOSTNAME=')), ['HOSTNAME=other']); // prettier-ignore
  assert.deepEqual(spec.process.user.additionalGids, [1000, 44]);
  assert.deepEqual(spec.linux.devices, [
    { type: 'c', path: '/dev/gpu', major: 195, minor: 0, uid: 1000, gid: 1000 },
    { type: 'c', path: '/dev/own', major: 195, minor: 0, fileMode: 0o600, uid: 0, gid: 44 },
  ]);
  assert.deepEqual(spec.linux.resources.devices?.slice(1), [0, 1].map(() => ({ allow: true, type: 'c', major: 195, minor: 0, access: 'rw' }))); // prettier-ignore
  assert.deepEqual(spec.mounts.filter(({ destination }) => destination === '/etc/hosts'), [{ destination: '/etc/hosts', source: '/opt/hosts', options: ['bind'] }]); // prettier-ignore
  assert.deepEqual(spec.hooks, { createRuntime: [ofNode, { path: '/bin/hook', timeout: 5 }], poststop: [ofNode] });
  assert.deepEqual([spec.linux.netDevices, spec.linux.intelRdt], [{ ib0: { name: 'net0' } }, { closID: 'gold' }]);
});

test('a privileged container keeps its rule for all devices in front', () => {
  const config = containerInput().config;
  const privileged = { ...config, linux: { resources: undefined, securityContext: securityContext({ privileged: true }) } };
  const cdi = edits({ deviceNodes: [{ path: '/dev/gpu', type: 'c', major: 195 }] });
  const { devices = [] } = buildSpec(containerInput({ config: privileged, cdi })).linux.resources;
  assert.deepEqual(devices, [{ allow: true, access: 'rwm' }, { allow: true, type: 'c', major: 195, minor: 0, access: 'rwm' }]); // prettier-ignore
});
