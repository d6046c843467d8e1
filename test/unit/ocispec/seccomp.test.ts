import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSeccompProfile } from '../../../src/ocispec/seccomp-default.ts';
import { parseSeccompProfile, toOciSeccomp } from '../../../src/ocispec/seccomp-profile.ts';
import type { SeccompTarget } from '../../../src/ocispec/seccomp-profile.ts';
import { ociSeccomp, seccompChoice } from '../../../src/ocispec/seccomp.ts';
import { specToJson } from '../../../src/ocispec/spec-json.ts';
import type { OciSpec } from '../../../src/ocispec/oci-types.ts';
import { HOST, securityContext } from '../../support/spec-inputs.ts';

const TARGET: SeccompTarget = { architecture: 'x64', kernel: { major: 6, minor: 1 }, capabilities: [] };

test('seccompChoice() reads the profile, then the deprecated path, then nothing', () => {
  const choice = (init: Parameters<typeof securityContext>[0]) => seccompChoice(securityContext(init), HOST);

  assert.deepStrictEqual(
    [
      seccompChoice(undefined, HOST),
      choice({}),
      choice({ seccomp: {} }),
      choice({ seccomp: { profileType: 1 } }),
      choice({ seccomp: { profileType: 2, localhostRef: '/etc/p.json' } }),
      choice({ seccompProfilePath: 'runtime/default' }),
      choice({ seccompProfilePath: 'unconfined' }),
      choice({ seccompProfilePath: 'localhost//etc/p.json' }),
      choice({ seccomp: { profileType: 1 }, seccompProfilePath: 'runtime/default' }),
      choice({ seccomp: {}, privileged: true }),
    ],
    [
      { use: 'Unconfined' },
      { use: 'Unconfined' },
      { use: 'RuntimeDefault' },
      { use: 'Unconfined' },
      { use: 'Localhost', path: '/etc/p.json' },
      { use: 'RuntimeDefault' },
      { use: 'Unconfined' },
      { use: 'Localhost', path: '/etc/p.json' },
      { use: 'Unconfined' },
      { use: 'Unconfined' },
    ],
  );
  assert.throws(() => choice({ seccomp: { profileType: 2, localhostRef: 'p.json' } }), { kind: 'InvalidArgument' });
  assert.throws(() => choice({ seccomp: { profileType: 9 } }), { kind: 'InvalidArgument' });
  assert.throws(() => choice({ seccompProfilePath: 'else' }), { kind: 'InvalidArgument' });
});

test('ociSeccomp() takes the profile that is chosen', () => {
  const own = parseSeccompProfile('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}');
  const input = { localhostProfile: own, runtimeDefault: undefined, capabilities: [], host: HOST };
  const node = { ...own, defaultAction: 'SCMP_ACT_LOG' } as const;

  assert.equal(ociSeccomp({ ...input, choice: { use: 'Unconfined' } }), undefined);
  assert.deepStrictEqual(ociSeccomp({ ...input, choice: { use: 'Localhost', path: '/p' } }), own);
  assert.deepStrictEqual(ociSeccomp({ ...input, choice: { use: 'RuntimeDefault' }, runtimeDefault: node }), node);
  assert.equal(ociSeccomp({ ...input, choice: { use: 'RuntimeDefault' } })?.defaultAction, 'SCMP_ACT_ERRNO');
});

test('seccompChoice() refuses a profile where the kernel has no seccomp', () => {
  const choice = (init: Parameters<typeof securityContext>[0]) => seccompChoice(securityContext(init), { seccomp: false });

  assert.deepStrictEqual([choice({}), choice({ seccomp: {}, privileged: true })], [{ use: 'Unconfined' }, { use: 'Unconfined' }]);
  for (const seccomp of [{}, { profileType: 2, localhostRef: '/etc/p.json' }])
    assert.throws(() => choice({ seccomp }), { kind: 'FailedPrecondition', message: /this kernel has no seccomp/ });
});

test('toOciSeccomp() decides conditions and architectures for the container', () => {
  const rule = (name: string, more: object) => ({ names: [name], action: 'SCMP_ACT_ALLOW' as const, ...more });
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO' as const,
    archMap: [
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    ],
    syscalls: [
      rule('always', { includes: {}, excludes: {} }),
      rule('admin', { includes: { caps: ['CAP_SYS_ADMIN'] } }),
      rule('both', { includes: { caps: ['CAP_SYS_ADMIN', 'CAP_BPF'] } }),
      rule('not-admin', { excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_BPF'] } }),
      rule('arm', { includes: { arches: ['arm', 'arm64'] } }),
      rule('not-amd', { excludes: { arches: ['amd64'] } }),
      rule('new', { includes: { minKernel: '6.2' } }),
      rule('old', { excludes: { minKernel: '6.1' } }),
    ],
  };
  const names = (change: Partial<SeccompTarget>) => toOciSeccomp(profile, { ...TARGET, ...change }).syscalls.flatMap((one) => one.names);

  assert.deepStrictEqual(names({}), ['always', 'not-admin']);
  assert.deepStrictEqual(names({ capabilities: ['CAP_SYS_ADMIN'], kernel: { major: 6, minor: 2 } }), ['always', 'admin', 'new']);
  assert.deepStrictEqual(names({ architecture: 'arm64', kernel: { major: 5, minor: 19 } }), [
    'always',
    'not-admin',
    'arm',
    'not-amd',
    'old',
  ]);
  assert.deepStrictEqual(toOciSeccomp(profile, TARGET), {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    syscalls: [
      { names: ['always'], action: 'SCMP_ACT_ALLOW' },
      { names: ['not-admin'], action: 'SCMP_ACT_ALLOW' },
    ],
  });
});

test('the default profile ties calls to capabilities, and keeps namespaces and risky calls away', () => {
  const allowed = (capabilities: string[], architecture = 'x64'): Set<string> =>
    new Set(
      toOciSeccomp(defaultSeccompProfile, { ...TARGET, architecture, capabilities })
        .syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)
        .flatMap(({ names }) => names),
    );
  const plain = allowed([]);
  const admin = allowed(['CAP_SYS_ADMIN', 'CAP_SYS_BOOT']);

  const refused = [
    'mount',
    'unshare',
    'setns',
    'keyctl',
    'add_key',
    'reboot',
    'bpf',
    'io_uring_setup',
    'userfaultfd',
    'clone',
    'clone3',
    'init_module',
  ];
  assert.deepStrictEqual(
    refused.filter((name) => plain.has(name)),
    [],
  );
  assert.deepStrictEqual(
    refused.filter((name) => admin.has(name)),
    ['mount', 'unshare', 'setns', 'reboot', 'bpf', 'clone', 'clone3'],
  );
  assert.deepStrictEqual(
    [plain.has('arch_prctl'), allowed([], 'arm64').has('arch_prctl'), allowed([], 'arm64').has('set_tls')],
    [true, false, true],
  );
  const names = defaultSeccompProfile.syscalls[0]!.names;
  assert.equal(new Set(names).size, names.length);
});

test('the default profile answers clone3 with ENOSYS and masks namespaces out of clone, but for administrators', () => {
  const cloning = (capabilities: string[]) =>
    toOciSeccomp(defaultSeccompProfile, { ...TARGET, capabilities }).syscalls.filter(
      ({ names, args, errnoRet }) => names[0]?.startsWith('clone') === true && (args ?? errnoRet) !== undefined,
    );

  assert.deepStrictEqual(cloning([]), [
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  ]);
  assert.deepStrictEqual(cloning(['CAP_SYS_ADMIN']), []);
});

test('parseSeccompProfile() reads old and new forms, and 64-bit arguments exactly', () => {
  const text = `{"defaultAction": "SCMP_ACT_KILL", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    {"name": "chmod", "action": "SCMP_ACT_ERRNO", "args": null, "comment": "c"},
    {"names": ["prctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}]}`;
  const profile = parseSeccompProfile(text);

  assert.deepStrictEqual(profile.syscalls, [
    { names: ['chmod'], action: 'SCMP_ACT_ERRNO', comment: 'c' },
    { names: ['prctl'], action: 'SCMP_ACT_ALLOW', args: [{ index: 1, value: 18446744073709551615n, op: 'SCMP_CMP_EQ' }] },
  ]);
  const seccomp = toOciSeccomp(profile, TARGET);
  assert.match(specToJson({ linux: { seccomp } } as unknown as OciSpec), /"value":18446744073709551615\b/);
  assert.deepStrictEqual(parseSeccompProfile('{"defaultAction": "SCMP_ACT_ALLOW"}'), { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] });
});

const withSyscalls = (syscalls: string): string => `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": ${syscalls}}`;

test('parseSeccompProfile() says which field of a profile is wrong', () => {
  const cases: [string, RegExp][] = [
    ['nonsense', /^read seccomp profile: must be JSON: /],
    ['["x"]', /^read seccomp profile: must be an object, is a list$/],
    ['{}', /^read seccomp profile: defaultAction: must be one of SCMP_ACT_KILL, .*SCMP_ACT_NOTIFY, is missing$/],
    [withSyscalls('{}'), /: syscalls: must be a list, is an object$/],
    [withSyscalls('[{}]'), /: syscalls\[0\]\.names: must be a list, is missing$/],
    [withSyscalls('[{"names": ["a", 1]}]'), /: syscalls\[0\]\.names\[1\]: must be text, is 1$/],
    [withSyscalls('[{"names": ["a"], "action": "x"}]'), /: syscalls\[0\]\.action: must be one of .*, is "x"$/],
    [
      withSyscalls('[{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{}]}]'),
      /: syscalls\[0\]\.args\[0\]\.index: must be a whole number/,
    ],
    [
      withSyscalls('[{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "op": "EQ"}]}]'),
      /: syscalls\[0\]\.args\[0\]\.op: must be one of SCMP_CMP_NE, .*, is "EQ"$/,
    ],
    [
      withSyscalls('[{"names": ["a"], "action": "SCMP_ACT_LOG", "includes": {"caps": "CAP_SYS_ADMIN"}}]'),
      /: syscalls\[0\]\.includes\.caps: must be a list, is "CAP_SYS_ADMIN"$/,
    ],
    ['{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{}]}', /: archMap\[0\]\.architecture: must be text, is missing$/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseSeccompProfile(text), { kind: 'InvalidArgument', message });
});

test('parseSeccompProfile() keeps what it does not know, and takes null for nothing', () => {
  const nothing = { architectures: null, archMap: null, flags: null, defaultErrnoRet: null };
  const rule = {
    names: ['a'],
    action: 'SCMP_ACT_LOG',
    args: null,
    includes: { caps: null, arches: null },
    excludes: null,
    name: null,
    own: [1],
  };
  const read = parseSeccompProfile(JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', ...nothing, syscalls: [rule], own: { a: 1 } }));

  assert.deepStrictEqual(read, {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['a'], action: 'SCMP_ACT_LOG', includes: {}, own: [1] }],
    own: { a: 1 },
  });
  assert.deepStrictEqual(toOciSeccomp(read, TARGET).syscalls, [{ names: ['a'], action: 'SCMP_ACT_LOG', own: [1] }]);
});
