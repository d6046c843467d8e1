import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSpec } from '../../../src/cdi/read-spec.ts';
import { requiredVersion } from '../../../src/cdi/required-version.ts';

const EDITS = { env: ['A=1'] };
const spec = (more: object = {}, edits: object = EDITS): object => ({
  cdiVersion: '1.1.0',
  kind: 'vendor.com/gpu',
  devices: [{ name: 'a', containerEdits: edits }],
  ...more,
});
const refused = (document: unknown, message: string): void => {
  assert.throws(() => readSpec(document), { kind: 'InvalidArgument', message });
};

test('readSpec() reads a whole device node, and leaves open what is not given', () => {
  const node = { path: '/dev/a', hostPath: '/dev/b', type: 'c', major: 1, minor: 2, fileMode: 0o600, permissions: 'rw', uid: 3, gid: 4 };
  const { devices } = readSpec(spec({}, { deviceNodes: [node, { path: '/dev/c', uid: null }] }));

  assert.deepEqual(devices[0]?.containerEdits.deviceNodes, [
    node,
    { path: '/dev/c', hostPath: '', type: '', major: 0, minor: 0, fileMode: undefined, permissions: '', uid: undefined, gid: undefined },
  ]);
});

test('readSpec() takes a number or a flag of YAML for text, and names of fields in other letters', () => {
  const { devices } = readSpec(spec({ devices: [{ name: 0, containerEdits: { ENV: ['A=1'], additionalGIDs: [5] } }, { NAME: true, containeredits: EDITS }] })); // prettier-ignore

  assert.deepEqual(devices.map(({ name, containerEdits }) => [name, containerEdits.additionalGids]), [['0', [5]], ['true', []]]); // prettier-ignore
});

test('readSpec() refuses a file that is no spec, by the place of the field', () => {
  refused(undefined, 'it is empty, must be a CDI spec');
  refused(['a'], 'must be an object, is a list');
  refused(spec({ kind: 'gpu' }), 'kind: must be VENDOR/CLASS, such as vendor.com/gpu, is "gpu"');
  refused(spec({ devices: [] }), 'devices: must be a list of at least one');
  refused(spec({ devices: [0, 1].map(() => ({ name: 'a', containerEdits: EDITS })) }), 'devices: the name a must be given once');
  refused(spec({}, {}), 'devices[0].containerEdits: must be of at least one edit, is an object');
  refused(
    spec({ more: 1 }),
    'more: must be left out: the fields here are cdiVersion, kind, annotations, devices, containerEdits, each once, is 1',
  );
  refused(spec({}, { env: ['A'] }), 'devices[0].containerEdits.env[0]: must be NAME=value, is "A"');
  refused(spec({}, { mounts: [{ hostPath: '/a' }] }), 'devices[0].containerEdits.mounts[0].containerPath: must be given, is missing');
  refused(spec({}, { deviceNodes: [{ path: '/a', permissions: 'x' }] }), 'devices[0].containerEdits.deviceNodes[0].permissions: must be of the letters r, w and m, is "x"'); // prettier-ignore
  refused(spec({}, { deviceNodes: [{ path: '/a', uid: 2 ** 32 }] }), 'devices[0].containerEdits.deviceNodes[0].uid: must be at most 4294967295, is 4294967296'); // prettier-ignore
  refused(spec({}, { hooks: [{ hookName: 'x', path: '/a' }] }), 'devices[0].containerEdits.hooks[0].hookName: must be one of prestart, createRuntime, createContainer, startContainer, poststart, poststop, is "x"'); // prettier-ignore
  refused(spec({}, { intelRdt: { closID: '..' } }), 'devices[0].containerEdits.intelRdt.closID: must be the name of a directory of resctrl, or /, is ".."'); // prettier-ignore
  const netDevices = [0, 1].map((index) => ({ hostInterfaceName: `eth${index}`, name: 'net0' }));
  refused(spec({}, { netDevices }), 'devices[0].containerEdits.netDevices[1].name: must be given once, is "net0"');
});

test('a spec that uses more than its version has is refused with the version that it needs', () => {
  refused(spec({ cdiVersion: '2.0.0' }), 'cdiVersion: must be one of 0.3.0, 0.4.0, 0.5.0, 0.6.0, 0.7.0, 0.8.0, 1.0.0, 1.1.0, is "2.0.0"');
  refused(spec({ cdiVersion: '0.6.0' }, { additionalGids: [5] }), 'cdiVersion: must be at least 0.7.0 for what is used, is 0.6.0');
  assert.equal(requiredVersion(readSpec(spec({ cdiVersion: 'v0.7.0' }, { additionalGids: [5] }))), '0.7.0');
});
