import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBaseSpec } from '../../../src/ocispec/base-spec.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import type { OciSpec } from '../../../src/ocispec/oci-types.ts';
import { containerInput, SETTINGS } from '../../support/spec-inputs.ts';

const parse = (base: object): ReturnType<typeof parseBaseSpec> => parseBaseSpec(JSON.stringify(base), '');

function built(base: object, privileged = false): OciSpec {
  const settings = { ...SETTINGS, handler: { ...SETTINGS.handler, baseSpec: parse(base) } };
  const input = containerInput({ settings });
  const { config } = input;
  return buildSpec({
    ...input,
    config: privileged ? { ...config, linux: { ...config.linux, securityContext: { privileged } } as never } : config,
  });
}

test('parseBaseSpec() refuses what is wrong, or decided elsewhere, by its field', () => {
  for (const [base, says] of [
    [{ procss: {} }, /^procss: must be left out: the fields are ociVersion, root, process/],
    [{ linux: { seccomp: {} } }, /^linux\.seccomp: must be left out: seccomp_profile decides it/],
    [{ linux: { uidMappings: [] } }, /^linux\.uidMappings: must be left out/],
    [{ process: { apparmorProfile: 'x' } }, /^process\.apparmorProfile: must be left out/],
    [{ process: { env: ['A=b', 'C'] } }, /^process\.env\[1\]: must be NAME=VALUE, is "C"/],
    [{ process: { rlimits: [{ type: 'nofile', soft: 1, hard: 1 }] } }, /^process\.rlimits\[0\]\.type: must be the name of a limit/],
    [{ mounts: [{ destination: 'x' }] }, /^mounts\[0\]\.destination: must be an absolute path/],
    [{ hooks: { prestart: [{ path: 'x' }] } }, /^hooks\.prestart\[0\]\.path: must be an absolute path/],
    [{ linux: { devices: [{ path: '/dev/x', type: 'x' }] } }, /^linux\.devices\[0\]\.type: must be one of b, c, u, p/],
    [{ annotations: { a: 1 } }, /^annotations\.a: must be text/],
    [[], /must be an object/],
  ] as const) {
    assert.throws(() => parse(base), { kind: 'InvalidArgument', message: says }, JSON.stringify(base));
  }
});

test('withBaseSpec() lays the spec of a container over the base: what both say is the container’s', () => {
  const spec = built({
    process: { env: ['A=base', 'PATH=/base'], noNewPrivileges: true, ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 1 } },
    hooks: { poststop: [{ path: '/bin/hook' }] },
    linux: { resources: { memory: { limit: 7 }, cpu: { idle: 1 } }, namespaces: [], maskedPaths: [] },
    mounts: [
      { destination: '/z', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/proc', type: 'bind', source: '/' },
    ],
  });
  const raw = spec as unknown as { hooks: unknown; process: { ioPriority: unknown } };
  assert.deepStrictEqual(
    [raw.hooks, raw.process.ioPriority],
    [{ poststop: [{ path: '/bin/hook' }] }, { class: 'IOPRIO_CLASS_IDLE', priority: 1 }],
  );
  assert.deepStrictEqual([spec.process.env[0], spec.process.noNewPrivileges], ['A=base', false]);
  assert.equal(spec.process.env.filter((entry) => entry.startsWith('PATH=')).length, 1);
  assert.deepStrictEqual([spec.linux.resources.memory, spec.linux.resources.cpu], [{ limit: 7 }, { idle: 1 }]);
  assert.ok(spec.linux.namespaces.length > 0 && spec.linux.maskedPaths.length > 0);
  assert.deepStrictEqual(
    spec.mounts.filter(({ destination }) => ['/z', '/proc'].includes(destination)).map(({ type }) => type),
    ['proc', 'tmpfs'],
  );
});

test('withBaseSpec() adds rules for single devices between what is denied to all and what the request allows', () => {
  const one = { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' };
  const resources = { devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'a' }, one] };
  assert.deepStrictEqual(built({ linux: { resources } }).linux.resources.devices, [{ allow: false, access: 'rwm' }, one]);
  assert.deepStrictEqual(built({ linux: { resources } }, true).linux.resources.devices, [{ allow: true, access: 'rwm' }, one]);
});

test('an rlimit without an end keeps its number', () => {
  const { rlimits } = parseBaseSpec('{"process":{"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]}}', '');
  assert.deepStrictEqual(rlimits, [{ type: 'RLIMIT_CORE', soft: 0, hard: 2n ** 64n - 1n }]);
});
