/** CDI spec files and what is asked of them: what the upstream library makes of each, ours must make too. */

/** One question to the library and to ours. */
export interface CorpusCase {
  readonly name: string;
  /** Spec files, `DIRECTORY/NAME`, directory 0 or 1; an object is written as JSON. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly devices: readonly string[];
  /** The user and group of the container's process, 1000 unless said otherwise. */
  readonly user?: number;
}

type Document = Readonly<Record<string, unknown>>;

/** A spec file with one device, `vendor.com/gpu=0` unless said otherwise. */
function spec(containerEdits: Document, more: Document = {}, name: unknown = '0'): Document {
  return { cdiVersion: '1.1.0', kind: 'vendor.com/gpu', devices: [{ name, containerEdits }], ...more };
}

const env = (value: string): Document => ({ env: [value] });
const node = (...deviceNodes: readonly Document[]): Document => ({ deviceNodes });
const asked = ['vendor.com/gpu=0'];

/** One device whose edits are these. */
function edits(name: string, containerEdits: Document, more: Document = {}): CorpusCase {
  return { name, files: { '0/a.json': spec(containerEdits, more) }, devices: asked };
}

/** One YAML text. */
const yaml = (name: string, text: string, devices = asked): CorpusCase => ({ name, files: { '0/a.yaml': text }, devices });

const HOOKS = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];
const NULL = { path: '/dev/null' };

const EDITS: readonly CorpusCase[] = [
  edits('env is added, and takes the place of an earlier value', { env: ['A=1', 'PATH=/x', 'B=2', 'A=3=4', 'EMPTY='] }),
  edits('env: without =', { env: ['A'] }),
  edits('env: without a name', { env: ['=A'] }),
  edits('a device node is completed from the host', node(NULL)),
  edits('a device node has another path on the host', node({ path: '/dev/x', hostPath: '/dev/zero' })),
  edits('a device node with everything given', node({ path: '/dev/x', type: 'c', major: 1, minor: 7, fileMode: 438, permissions: 'rw', uid: 5, gid: 0 })), // prettier-ignore
  edits('a device node with its number given, its host node there', node({ path: '/dev/full', type: 'c', major: 1, minor: 7 })),
  edits('a device node with its number given, its host node is no device', node({ path: '/etc/passwd', type: 'c', major: 1, minor: 7 })),
  edits('a device node with its number given, without a host node', node({ path: '/dev/nowhere', type: 'b', major: 7, minor: 3 })),
  edits('a device node with its major number alone', node({ path: '/dev/null', major: 9 })),
  edits('a device node with its minor number alone', node({ path: '/dev/null', minor: 9 })),
  edits('a device node of type u', node({ path: '/dev/x', type: 'u', major: 1, minor: 7 })),
  edits('a device node of type u without a number', node({ path: '/dev/null', type: 'u' })),
  edits('a device node of another type than the host has', node({ path: '/dev/null', type: 'b' })),
  edits('a pipe', node({ path: '/dev/pipe', type: 'p' })),
  edits('a device node that is not there', node({ path: '/dev/nowhere' })),
  edits('a device node that is a directory', node({ path: '/dev' })),
  edits('a device node that is a link', node({ path: '/dev/stdin' })),
  edits('a device node that the container has', node({ path: '/dev/has', hostPath: '/dev/null' }, { path: '/dev/has', hostPath: '/dev/full', permissions: 'm' })), // prettier-ignore
  edits('a device node without a path', node({ hostPath: '/dev/null' })),
  edits('a device node with wrong permissions', node({ ...NULL, permissions: 'rx' })),
  edits('a device node of an unknown type', node({ ...NULL, type: 'x' })),
  edits('a device node with a negative owner', node({ ...NULL, uid: -1 })),
  edits('a device node with an owner beyond 32 bits', node({ ...NULL, uid: 2 ** 32 })),
  { ...edits('a device node for root', node(NULL)), user: 0 },
  edits('mounts', {
    mounts: [
      { hostPath: '/opt/a/b', containerPath: '/opt/a/b', options: ['ro', 'bind', 'nosuid'] },
      { hostPath: 'tmpfs', containerPath: '/opt', type: 'tmpfs' },
      { hostPath: '/etc/hosts', containerPath: '/etc/hosts', type: 'bind', options: ['rbind'] },
      { hostPath: '/b', containerPath: '/b/./c/../' },
      { hostPath: '/b2', containerPath: '/b' },
    ],
  }),
  edits('a mount without a source', { mounts: [{ containerPath: '/x' }] }),
  edits('a mount without a place', { mounts: [{ hostPath: '/x' }] }),
  edits('hooks of every kind, some twice', {
    hooks: [...HOOKS, ...HOOKS].map((hookName, index) => ({ hookName, path: `/bin/hook${index}`, args: ['hook', '-x'], env: ['A=1'], timeout: index })), // prettier-ignore
  }),
  edits('a hook with nothing but its path', { hooks: [{ hookName: 'poststop', path: '/bin/hook' }] }),
  edits('a hook of an unknown kind', { hooks: [{ hookName: 'createruntime', path: '/bin/hook' }] }),
  edits('a hook without a path', { hooks: [{ hookName: 'poststop' }] }),
  edits('a hook with a wrong variable', { hooks: [{ hookName: 'poststop', path: '/bin/hook', env: ['A'] }] }),
  edits('a hook whose timeout is no whole number', { hooks: [{ hookName: 'poststop', path: '/bin/hook', timeout: 1.5 }] }),
  edits('additional groups, some there already', { additionalGids: [5, 0, 44, 5, 1001] }),
  edits('network devices', { netDevices: [{ hostInterfaceName: 'ib0', name: 'net0' }, { hostInterfaceName: 'ib1', name: 'net1' }] }), // prettier-ignore
  edits('a network device twice', { netDevices: [{ hostInterfaceName: 'ib0', name: 'a' }, { hostInterfaceName: 'ib0', name: 'b' }] }), // prettier-ignore
  edits('two network devices of one name', { netDevices: [{ hostInterfaceName: 'ib0', name: 'a' }, { hostInterfaceName: 'ib1', name: 'a' }] }), // prettier-ignore
  edits('a network device without a name', { netDevices: [{ hostInterfaceName: 'ib0' }] }),
  edits('intelRdt', { intelRdt: { closID: 'gold', l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=10', schemata: ['L2:0=f'], enableMonitoring: true } }), // prettier-ignore
  edits('intelRdt of the root class', { intelRdt: { closID: '/' } }),
  edits('intelRdt with a wrong class', { intelRdt: { closID: 'a/b' } }),
  edits('intelRdt that is empty', { intelRdt: {} }),
  edits('no edit', {}),
];

const FILES: readonly CorpusCase[] = [
  {
    name: 'edits of the file come once, before those of its devices; the devices in the order of the request',
    files: {
      '0/a.json': {
        ...spec(env('DEVICE=0')),
        containerEdits: { env: ['FILE=a', 'DEVICE=none'], additionalGids: [7], intelRdt: { closID: 'file' } },
        devices: [
          { name: '0', containerEdits: { env: ['DEVICE=0'], intelRdt: { closID: 'zero' } } },
          { name: '1', containerEdits: { env: ['DEVICE=1'] } },
        ],
      },
      '0/b.json': spec(env('B=1'), { kind: 'vendor.com/net', containerEdits: { env: ['FILE=b'] } }),
    },
    devices: ['vendor.com/gpu=1', 'vendor.com/net=0', 'vendor.com/gpu=0'],
  },
  { name: 'a later directory wins', files: { '0/a.json': spec(env('FROM=0')), '1/a.json': spec(env('FROM=1')) }, devices: asked },
  {
    name: 'two files of a directory conflict',
    files: { '0/a.json': spec(env('FROM=a')), '0/b.json': spec(env('FROM=b')) },
    devices: asked,
  },
  {
    name: 'two files conflict below a later directory',
    files: { '0/a.json': spec(env('FROM=a')), '0/b.json': spec(env('FROM=b')), '1/c.json': spec(env('FROM=c')) },
    devices: asked,
  },
  {
    name: 'two files conflict above an earlier directory',
    files: { '0/a.json': spec(env('FROM=a')), '1/b.json': spec(env('FROM=b')), '1/c.json': spec(env('FROM=c')) },
    devices: asked,
  },
  {
    name: 'a conflict leaves the other devices of the files alone',
    files: { '0/a.json': spec(env('FROM=a')), '0/b.json': { ...spec(env('X=1')), devices: [{ name: '0', containerEdits: env('X=1') }, { name: '1', containerEdits: env('X=2') }] } }, // prettier-ignore
    devices: ['vendor.com/gpu=1'],
  },
  { name: 'unknown devices', files: { '0/a.json': spec(env('A=1')) }, devices: [...asked, 'vendor.com/gpu=7', 'other.com/gpu=0'] },
  { name: 'a file that is no spec is left out', files: { '0/a.json': spec(env('A=1')), '0/b.json': '{"cdiVersion":', '0/c.yaml': 'a: [' }, devices: asked }, // prettier-ignore
  { name: 'an empty file', files: { '0/a.json': spec(env('A=1')), '0/b.yaml': '', '0/c.json': '' }, devices: asked },
  { name: 'other names of files', files: { '0/a.yml': spec(env('A=1')), '0/b.json.bak': spec(env('A=1')) }, devices: asked },
  { name: 'a device twice in a file', files: { '0/a.json': { ...spec({}), devices: [0, 1].map(() => ({ name: '0', containerEdits: env('A=1') })) } }, devices: asked }, // prettier-ignore
  { name: 'no devices', files: { '0/a.json': { ...spec({}), devices: [] } }, devices: asked },
  edits('an unknown field', env('A=1'), { more: 1 }),
  edits('a field in other letters', { ENV: ['A=1'], additionalGIDs: [9] }),
  edits('null in place of what is optional', { env: ['A=1'], deviceNodes: null, hooks: null, intelRdt: null }, { annotations: null }),
  edits('annotations', env('A=1'), { annotations: { 'vendor.com/note': 'x', 'not valid!': 'y' } }),
  edits('an annotation that is no text', env('A=1'), { annotations: { note: { a: 1 } } }),
];

const NAMES = ['vendor', 'a-b_c.d9', '9vendor.com', 'vendor.', '-vendor', 'ven dor', 'vendør'].map((vendor): CorpusCase => {
  const kind = `${vendor}/gpu`;
  return { name: `vendor ${vendor}`, files: { '0/a.json': spec(env('A=1'), { kind }) }, devices: [`${kind}=0`] };
});

const KINDS = ['vendor.com', 'vendor.com/', '/gpu', 'vendor.com/gpu/x', 'vendor.com/g.pu', 'vendor.com/gpu-', 'vendor.com/9gpu'].map(
  (kind): CorpusCase => ({ name: `kind ${kind}`, files: { '0/a.json': spec(env('A=1'), { kind }) }, devices: [`${kind}=0`] }),
);

const DEVICES = ['x', '0:1', 'a.b_c-d', 'all', '-a', 'a-', 'a b', '', 'a=b', 'GPU-1:0.0'].map((name): CorpusCase => ({
  name: `device "${name}"`,
  files: { '0/a.json': spec(env('A=1'), {}, name) },
  devices: [`vendor.com/gpu=${name}`],
}));

const VERSIONS = [
  '0.1.0',
  '0.2.0',
  '0.3.0',
  '0.4.0',
  '0.5.0',
  '0.6.0',
  '0.7.0',
  '0.8.0',
  '1.0.0',
  '1.1.0',
  'v1.1.0',
  '1.2.0',
  '0.9.0',
  '1.1',
  '',
];
/** What needs a version of its own. */
const NEEDS: Readonly<Record<string, Document>> = {
  nothing: spec(env('A=1'), {}, 'a'),
  'the type of a mount': spec({ mounts: [{ hostPath: '/a', containerPath: '/a', type: 'bind' }] }, {}, 'a'),
  'a digit in front': spec(env('A=1'), {}, '0'),
  'a path on the host': spec(node({ path: '/dev/x', hostPath: '/dev/null' }), {}, 'a'),
  annotations: spec(env('A=1'), { annotations: { a: 'b' } }, 'a'),
  'annotations of a device': { ...spec({}), devices: [{ name: 'a', annotations: { a: 'b' }, containerEdits: env('A=1') }] },
  'a dot in the class': spec(env('A=1'), { kind: 'vendor.com/g.pu' }, 'a'),
  intelRdt: spec({ intelRdt: { closID: 'x' } }, {}, 'a'),
  'groups of the file': spec(env('A=1'), { containerEdits: { additionalGids: [5] } }, 'a'),
  'an empty schemata': spec({ intelRdt: { closID: 'x', schemata: [] } }, {}, 'a'),
  monitoring: spec({ intelRdt: { enableMonitoring: true } }, {}, 'a'),
  'a network device': spec({ netDevices: [{ hostInterfaceName: 'a', name: 'b' }] }, {}, 'a'),
};
const VERSIONED = Object.entries(NEEDS).flatMap(([what, document]) =>
  VERSIONS.map((cdiVersion): CorpusCase => {
    const name = what === 'a digit in front' ? '0' : 'a';
    return {
      name: `version "${cdiVersion}" with ${what}`,
      files: { '0/a.json': { ...document, cdiVersion } },
      devices: [`${String(document['kind'])}=${name}`],
    };
  }),
);

const HEAD = 'cdiVersion: 1.1.0\nkind: vendor.com/gpu\n';
const YAML: readonly CorpusCase[] = [
  yaml('YAML with anchors, a merge and comments', `---\n# a comment\n${HEAD}devices:\n- name: "0"\n  containerEdits: &edits\n    env: [A=1]\n    additionalGids: [5]\n- name: one\n  containerEdits:\n    <<: *edits\n    mounts:\n    - {hostPath: /a, containerPath: /a}\n`, ['vendor.com/gpu=one', 'vendor.com/gpu=0']), // prettier-ignore
  yaml('YAML: a name that looks like a number', `${HEAD}devices:\n- name: 0\n  containerEdits: {env: [A=1]}\n`),
  yaml('YAML: a name that looks like base 60', `${HEAD}devices:\n- name: 0:1\n  containerEdits: {env: [A=1]}\n`, ['vendor.com/gpu=0:1']),
  yaml('YAML: a name that looks like a flag', `${HEAD}devices:\n- name: yes\n  containerEdits: {env: [A=1]}\n`, ['vendor.com/gpu=true']),
  yaml('YAML: a file mode in octal', `${HEAD}devices:\n- name: 0\n  containerEdits:\n    deviceNodes:\n    - path: /dev/null\n      fileMode: 0640\n      uid: 0x10\n      gid: 1_000\n`), // prettier-ignore
  yaml('YAML: a file mode in newer octal', `${HEAD}devices:\n- name: 0\n  containerEdits:\n    deviceNodes:\n    - {path: /dev/null, fileMode: 0o640, permissions: rw}\n`), // prettier-ignore
  yaml('YAML: a file mode as text', `${HEAD}devices:\n- name: 0\n  containerEdits:\n    deviceNodes:\n    - {path: /dev/null, fileMode: "0640"}\n`), // prettier-ignore
  yaml('YAML: a key twice', `${HEAD}kind: vendor.com/gpu\ndevices:\n- name: 0\n  containerEdits: {env: [A=1]}\n`),
  yaml('YAML: an unknown field', `${HEAD}devices:\n- name: 0\n  edits: {env: [A=1]}\n`),
  yaml('YAML: a text in place of a list', `${HEAD}devices:\n- name: 0\n  containerEdits: {env: A=1}\n`),
  yaml('YAML: a second document', `${HEAD}devices:\n- name: 0\n  containerEdits: {env: [A=1]}\n---\nkind: other\n`),
  yaml(
    'YAML: fields without a value',
    `${HEAD}containerEdits:\ndevices:\n- name: 0\n  containerEdits:\n    mounts:\n    env:\n    - A=1\n`,
  ),
  { name: 'JSON in a file named .yaml', files: { '0/a.yaml': spec(env('A=1')) }, devices: asked },
  { name: 'YAML in a file named .json', files: { '0/a.json': `${HEAD}devices:\n- name: 0\n  containerEdits: {env: [A=1]}\n` }, devices: asked }, // prettier-ignore
];

export const CORPUS: readonly CorpusCase[] = [...EDITS, ...FILES, ...NAMES, ...KINDS, ...DEVICES, ...VERSIONED, ...YAML];
