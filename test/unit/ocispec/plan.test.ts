import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, Init, LinuxContainerSecurityContext } from '../../../api/cri/runtime.ts';
import type { HostFacts } from '../../../src/ocispec/host-facts.ts';
import type { RuntimeFacts, SpecPlan } from '../../../src/ocispec/input.ts';
import { planSpec } from '../../../src/ocispec/plan.ts';
import { containerConfig, HOST, RUNTIME, SETTINGS } from '../../support/spec-inputs.ts';

interface Node {
  readonly host?: Partial<HostFacts>;
  readonly runtime?: Partial<RuntimeFacts>;
}

function plan(init: Init<ContainerConfig>, { host = {}, runtime = {} }: Node = {}): SpecPlan {
  return planSpec({
    config: containerConfig({ command: ['/bin/web'], ...init }),
    podAnnotations: {},
    imageConfig: { User: '7:8', WorkingDir: '/srv' },
    runtime: { ...RUNTIME, ...runtime },
    settings: SETTINGS,
    host: { ...HOST, ...host },
    apparmor: undefined,
    warn: (words) => {
      assert.fail(words);
    },
  });
}

const security = (securityContext: Init<LinuxContainerSecurityContext>): Init<ContainerConfig> => ({ linux: { securityContext } });
const mountOf = (change: object): Init<ContainerConfig> => ({ mounts: [{ hostPath: '/tmp', containerPath: '/data', ...change }] });

test('planSpec() decides what the request, its image and the node say', () => {
  const { capabilities, ...decided } = plan({
    envs: [{ key: 'A', value: Buffer.from('b') }],
    devices: [{ hostPath: '/dev/null' }],
    linux: { resources: { cpuShares: 512n }, securityContext: { seccomp: { profileType: 0 }, maskedPaths: [] } },
  });

  assert.deepStrictEqual(decided, {
    user: { user: 7, group: 8, supplementalGroups: [], isStrict: false },
    resources: { cpu: { shares: 512 } },
    apparmorProfile: undefined,
    seccomp: { use: 'RuntimeDefault' },
    maskedPaths: [],
    readonlyPaths: [],
    annotations: {},
    ulimits: [],
    umask: undefined,
    cgroupWritable: false,
    trySkipRelabel: false,
    mounts: [],
    devices: [{ hostPath: '/dev/null', path: '/dev/null', access: 'rwm' }],
    args: ['/bin/web'],
    variables: ['A=b'],
    workingDirectory: '/srv',
  });
  assert.deepStrictEqual(capabilities.bounding, SETTINGS.defaultCapabilities);
});

test('planSpec() keeps the mounts in the order of the request', () => {
  const mounts = ['/b/c', '/a', '/b'].map((containerPath) => ({ hostPath: '/tmp', containerPath }));

  assert.deepStrictEqual(plan({ mounts }).mounts.map(({ mount }) => mount.destination), ['/b/c', '/a', '/b']); // prettier-ignore
});

test('planSpec() refuses what a request may not ask, each field by name', () => {
  const refused: readonly (readonly [words: RegExp, request: Init<ContainerConfig>])[] = [
    [/memory_swap_limit_in_bytes is 9 without memory_limit_in_bytes/, { linux: { resources: { memorySwapLimitInBytes: 9n } } }],
    [/run_as_group is given without/, security({ runAsGroup: { value: 1n } })],
    [/cpu_period is 5/, { linux: { resources: { cpuPeriod: 5n } } }],
    [/apparmor_profile is "mine"/, security({ apparmorProfile: 'mine' })],
    [/seccomp\.profile_type is 9/, security({ seccomp: { profileType: 9 } })],
    [/add_capabilities: "NO_SUCH"/, security({ capabilities: { addCapabilities: ['NO_SUCH'] } })],
    [/masked_paths has "proc"/, security({ maskedPaths: ['proc'] })],
    [/mount at "\/": container_path/, mountOf({ containerPath: '/' })],
    [/device permissions are "x"/, { devices: [{ hostPath: '/dev/null', permissions: 'x' }] }],
    [/nothing to run/, { command: [''] }],
    [/envs has the key "A=B"/, { envs: [{ key: 'A=B', value: Buffer.from('') }] }],
  ];
  for (const [message, request] of refused) assert.throws(() => plan(request), { kind: 'InvalidArgument', message });
});

test('planSpec() refuses what this node or its runtime cannot do', () => {
  const range = [{ hostId: 1000, containerId: 0, length: 10 }];
  const ids = { uidMappings: range, gidMappings: range };
  const refused: readonly (readonly [words: RegExp, request: Init<ContainerConfig>, node: Node])[] = [
    [/capability CAP_BPF is asked for/, security({ capabilities: { addCapabilities: ['BPF'] } }), {}],
    [/this kernel has no seccomp/, security({ seccomp: { profileType: 0 } }), { host: { seccomp: false } }],
    [/AppArmor is off on this node/, security({ apparmor: { profileType: 2, localhostRef: 'web' } }), {}],
    [/needs cgroup v2/, { linux: { resources: { unified: { 'memory.high': '1' } } } }, { host: { cgroupVersion: 'v1' } }],
    [/huge pages of 3MB/, { linux: { resources: { hugepageLimits: [{ pageSize: '3MB', limit: 1n }] } } }, {}],
    [/^RROUnsupported: /, mountOf({ readonly: true, recursiveReadOnly: true }), { runtime: { recursiveReadOnlyMounts: false } }],
    [/no id-mapped mounts/, mountOf(ids), { runtime: { idmapMounts: false } }],
  ];
  for (const [message, request, node] of refused) assert.throws(() => plan(request, node), { kind: 'FailedPrecondition', message });
});
