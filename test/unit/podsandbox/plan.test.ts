import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode, Protocol } from '../../../api/cri/enums.ts';
import type { Init, LinuxSandboxSecurityContext, NamespaceOption, PodSandboxConfig, PortMapping } from '../../../api/cri/runtime.ts';
import type { Cgroups } from '../../../src/linux/cgroups/cgroups.ts';
import type { ApparmorFacts } from '../../../src/ocispec/apparmor.ts';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { CgroupfsPlacement } from '../../../src/ociruntime/cgroupfs-placement.ts';
import type { CgroupDriver } from '../../../src/ociruntime/placement.ts';
import { SystemdPlacement } from '../../../src/ociruntime/systemd-placement.ts';
import { RuntimeHandlers } from '../../../src/ociruntime/runtime-handlers.ts';
import type { SandboxParts } from '../../../src/podsandbox/parts.ts';
import { planSandbox, type SandboxPlan } from '../../../src/podsandbox/plan.ts';
import { HOST, sandboxConfig, SETTINGS } from '../../support/spec-inputs.ts';

const METADATA = { name: 'web-0', namespace: 'shop', uid: 'u-1', attempt: 3 };

interface PlanOptions {
  readonly handler?: string;
  readonly driver?: CgroupDriver;
  readonly lacks?: string;
  readonly apparmor?: ApparmorFacts;
}

function plan(init: Init<PodSandboxConfig>, { handler = '', driver = 'cgroupfs', lacks, apparmor }: PlanOptions = {}): SandboxPlan {
  const runtime = (name: string): OciRuntime =>
    new OciRuntime({ name, path: `/usr/sbin/${name}`, root: '/run/x', systemdCgroup: false, environment: {} });
  // A plan looks at no kernel, so this is all of the parts that it needs.
  const runtimes = new RuntimeHandlers('runc', new Map(['runc', 'crun'].map((name) => [name, runtime(name)])));
  runtimes.lacksForUserNamespaces = () => lacks;
  const parts = {
    runtimes,
    placement: driver === 'systemd' ? new SystemdPlacement({} as Cgroups) : new CgroupfsPlacement({} as Cgroups),
    hostFacts: () => HOST,
    specSettings: () => SETTINGS,
  } as unknown as SandboxParts;
  return planSandbox(sandboxConfig({ metadata: METADATA, ...init }), handler, parts, apparmor);
}

const withNamespaces = (namespaceOptions: Init<NamespaceOption>): Init<PodSandboxConfig> => ({
  linux: { securityContext: { namespaceOptions } },
});

function refuses(init: Init<PodSandboxConfig>, message: RegExp, options?: Parameters<typeof plan>[1], kind = 'InvalidArgument'): void {
  assert.throws(() => plan(init, options), { kind, message });
}

test('a plain pod has namespaces of its own, its name as hostname, and the default handler', () => {
  const { record, metadata } = plan(withNamespaces({ pid: NamespaceMode.CONTAINER }));
  const { id, config: _config, ...rest } = record;
  assert.deepStrictEqual(rest, {
    runtimeHandler: 'runc',
    namespaces: { net: 'pod', ipc: 'pod', pid: 'container' },
    hostname: 'web-0',
    askedHandler: '',
    cgroupParent: `/podwright/${id}`,
  });
  assert.equal(metadata.attempt, 3);
});

test('without namespace options all are of the pod, the PID namespace too: 0 is POD', () => {
  assert.deepStrictEqual(plan({}).record.namespaces, { net: 'pod', ipc: 'pod', pid: 'pod' });
});

test("a pod on the node's namespaces has the node's hostname, whatever it asks for", () => {
  const onNode = withNamespaces({ network: NamespaceMode.NODE, ipc: NamespaceMode.NODE, pid: NamespaceMode.NODE });
  for (const hostname of ['', 'of-its-own']) {
    const { record } = plan({ ...onNode, hostname });
    assert.deepStrictEqual([record.namespaces, record.hostname], [{ net: 'node', ipc: 'node', pid: 'node' }, HOST.hostname]);
  }
});

test('the hostname is the one asked for, else as much of the name as fits in 64 bytes; it is one word', () => {
  assert.equal(plan({ hostname: 'db' }).record.hostname, 'db');
  assert.equal(plan({ metadata: { ...METADATA, name: 'n'.repeat(100) } }).record.hostname, 'n'.repeat(64));
  assert.equal(plan({ metadata: { ...METADATA, name: 'ü'.repeat(40) } }).record.hostname, 'ü'.repeat(32));
  refuses({ hostname: 'h'.repeat(65) }, /config\.hostname has 65 bytes, must have at most 64/);
  refuses({ hostname: 'ü'.repeat(33) }, /config\.hostname has 66 bytes/);
  refuses({ hostname: 'a\n10.0.0.1 b' }, /config\.hostname is "a\\n10\.0\.0\.1 b", must be one word/);
});

test('the cgroup parent takes the form of the driver, and a systemd one must be a slice', () => {
  assert.equal(plan({ linux: { cgroupParent: '/kubepods/pod1' } }).record.cgroupParent, '/kubepods/pod1');
  const slice = '/kubepods.slice/kubepods-pod1.slice';
  assert.equal(plan({ linux: { cgroupParent: slice } }, { driver: 'systemd' }).record.cgroupParent, 'kubepods-pod1.slice');
  refuses({ linux: { cgroupParent: '/kubepods/pod1' } }, /must end in \.slice/, { driver: 'systemd' });
});

test('the metadata must be there, with name, namespace and uid', () => {
  assert.throws(() => plan({ metadata: undefined }), { kind: 'InvalidArgument', message: /config\.metadata is missing/ });
  for (const field of ['name', 'namespace', 'uid'])
    refuses({ metadata: { ...METADATA, [field]: '' } }, new RegExp(`config\\.metadata\\.${field} is empty`));
});

test('an unknown runtime handler is refused with those that are known', () => {
  assert.equal(plan({}, { handler: 'crun' }).record.runtimeHandler, 'crun');
  refuses({}, /runtime_handler is "kata", which is not configured, must be one of: runc, crun/, { handler: 'kata' });
});

test('a namespace mode that a pod cannot have is refused', () => {
  refuses(withNamespaces({ network: NamespaceMode.CONTAINER }), /namespace_options\.network is 1, must be POD \(0\) or NODE \(2\)/);
  refuses(withNamespaces({ ipc: NamespaceMode.TARGET }), /namespace_options\.ipc is 3/);
  refuses(withNamespaces({ pid: NamespaceMode.TARGET }), /namespace_options\.pid is 3/);
});

const MAPPING = { hostId: 65_536, containerId: 0, length: 65_536 };
const withUser = (change: Init<NonNullable<NamespaceOption['usernsOptions']>>, more: Init<NamespaceOption> = {}): Init<PodSandboxConfig> =>
  withNamespaces({ usernsOptions: { mode: NamespaceMode.POD, uids: [MAPPING], gids: [MAPPING], ...change }, ...more });

test('a user namespace has the ids of the request; without one, or with that of the node, there is none', () => {
  const gids = { hostId: 200_000, containerId: 0, length: 1 };
  assert.deepStrictEqual(plan(withUser({ gids: [gids] })).record.namespaces.user, { uids: MAPPING, gids });
  assert.equal(plan(withUser({ mode: NamespaceMode.NODE, uids: [], gids: [] })).record.namespaces.user, undefined);
  const highest = { hostId: 2 ** 32 - 2, containerId: 0, length: 1 };
  assert.deepStrictEqual(plan(withUser({ uids: [highest] })).record.namespaces.user?.uids, highest);
});

test('user namespaces: what the CRI or the kernel forbids is refused by the name of the field', () => {
  refuses(withUser({ mode: NamespaceMode.NODE }), /must have no uid or gid mappings/);
  refuses(withUser({ mode: NamespaceMode.CONTAINER }), /user namespace mode is 1/);
  refuses(withUser({ mode: NamespaceMode.TARGET }), /user namespace mode is 3/);
  refuses(withUser({ uids: [MAPPING, { ...MAPPING, containerId: 65_536, hostId: 0 }] }), /2 uid mappings, must have 1/);
  refuses(withUser({ gids: [] }), /0 gid mappings, must have 1/);
  refuses(withUser({ gids: [{ ...MAPPING, containerId: 1 }] }), /gid mapping .* must begin at container id 0/);
  refuses(withUser({ uids: [{ ...MAPPING, length: 0 }] }), /uid mapping of the user namespace has length 0, must be 1 at least/);
  refuses(withUser({ uids: [{ ...MAPPING, hostId: 2 ** 32 - 2, length: 2 }] }), /goes from host_id 4294967294 to 4294967295, must end at/);
  refuses(withUser({}, { pid: NamespaceMode.NODE }), /a user namespace and for the node's pid namespace/);
  refuses(withUser({}, { ipc: NamespaceMode.NODE }), /a user namespace and for the node's ipc namespace/);
  const asUser = { securityContext: { ...withUser({}).linux?.securityContext, runAsUser: { value: 65_536n } } };
  refuses({ linux: asUser }, /its user is 65536, must be below 65536: the user namespace of the pod has no other/);
});

test('user namespaces: where the node or the runtime cannot, that is refused in words, behind what is wrong in itself', () => {
  refuses(withUser({}), /hostUsers: false\), but this kernel cannot/, { lacks: 'this kernel cannot' }, 'FailedPrecondition');
  refuses(withUser({ uids: [] }), /0 uid mappings/, { lacks: 'this kernel cannot' });
  plan({}, { lacks: 'this kernel cannot' });
});

test('the profiles of a sandbox are those of its infra container, and refused where they cannot be', () => {
  const profiles = (securityContext: Init<LinuxSandboxSecurityContext>): Init<PodSandboxConfig> => ({ linux: { securityContext } });
  refuses(profiles({ seccomp: { profileType: 2, localhostRef: 'p.json' } }), /seccomp\.localhost_ref is "p\.json", must be absolute/);
  refuses(profiles({ seccomp: { profileType: 9 } }), /seccomp\.profile_type is 9/);
  refuses(profiles({ seccompProfilePath: 'else' }), /seccomp_profile_path is "else"/);
  refuses(profiles({ apparmor: { profileType: 9 } }), /apparmor\.profile_type is 9/);
  refuses(
    profiles({ apparmor: { profileType: 2, localhostRef: 'mine' } }),
    /"mine" is asked for, but AppArmor is off/,
    {},
    'FailedPrecondition',
  );
  const apparmor: ApparmorFacts = { loaded: new Set(['theirs']), runtimeDefault: { is: 'Missing', why: 'no parser', isRequired: false } };
  refuses(profiles({ apparmor: { profileType: 2, localhostRef: 'mine' } }), /"mine" is asked for, but it is not loaded/, { apparmor }, 'FailedPrecondition'); // prettier-ignore
  refuses(profiles({ apparmor: { profileType: 0 } }), /RuntimeDefault is not there: no parser/, { apparmor }, 'FailedPrecondition');
  plan(profiles({ apparmor: { profileType: 2, localhostRef: 'theirs' } }), { apparmor });
  plan(profiles({}), { apparmor });
  refuses(profiles({ supplementalGroups: [-1n] }), /supplemental_groups is -1/);
});

test('a group without a user is refused', () => {
  refuses({ linux: { securityContext: { runAsGroup: { value: 1n } } } }, /run_as_group is given without run_as_user/);
  plan({ linux: { securityContext: { runAsGroup: { value: 1n }, runAsUser: { value: 1n } } } });
});

test('the ports of a pod are ports, their protocol and address such as the kernel knows', () => {
  const of = (change: Init<PortMapping>): Init<PodSandboxConfig> => ({
    portMappings: [{ containerPort: 1 }, { containerPort: 80, ...change }],
  });
  for (const containerPort of [0, -1, 65_536])
    refuses(of({ containerPort }), new RegExp(`port_mappings\\[1\\]\\.container_port is ${containerPort}, must be from 1 to 65535`));
  for (const hostPort of [-1, 65_536])
    refuses(of({ hostPort }), new RegExp(`port_mappings\\[1\\]\\.host_port is ${hostPort}, must be from 1 to 65535, or 0 for none`));
  for (const protocol of [-1, 3, 7])
    refuses(of({ protocol }), new RegExp(`port_mappings\\[1\\]\\.protocol is ${protocol}, must be TCP \\(0\\)`));
  for (const hostIp of ['not-an-ip', '10.0.0', '10.0.0.1/8', 'fe80::1%eth0', ' '])
    refuses(of({ hostIp }), /port_mappings\[1\]\.host_ip is ".*", must be an IP address, or empty for all/);
  // As the kubelet sends them: each port of a container, with a host port or not.
  for (const hostIp of ['', '127.0.0.1', '0.0.0.0', '::', 'fd00::7']) plan(of({ hostPort: 8080, protocol: Protocol.SCTP, hostIp }));
  plan(of({ hostPort: 0 }));
  plan({ ...of({ hostPort: 80 }), ...withNamespaces({ network: NamespaceMode.NODE }) });
  refuses({ ...of({ protocol: 7 }), ...withNamespaces({ network: NamespaceMode.NODE }) }, /protocol is 7/);
});

test('a bandwidth that is no rate is refused, where the pod has a network of its own', () => {
  const annotations = { 'kubernetes.io/egress-bandwidth': 'much' };
  refuses({ annotations }, /annotation kubernetes\.io\/egress-bandwidth is "much", must be a quantity/);
  plan({ annotations, ...withNamespaces({ network: NamespaceMode.NODE }) });
});

test("a sysctl of the node, or of a namespace that is the node's, is refused", () => {
  refuses({ linux: { sysctls: { 'kernel.panic': '1' } } }, /sysctls: "kernel\.panic" is one of the whole node/);
  const linux = { sysctls: { 'net.core.somaxconn': '1' }, securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } };
  refuses({ linux }, /the pod uses the node's/);
});

test('a DNS configuration that cannot be written down is refused, on every network', () => {
  const dnsConfig = { servers: ['10.0.0.1'], searches: ['a b'], options: [] };
  refuses({ dnsConfig }, /dns_config\.searches has "a b", must be one word/);
  refuses({ dnsConfig, ...withNamespaces({ network: NamespaceMode.NODE }) }, /dns_config\.searches/);
  plan({ dnsConfig: { servers: [], searches: [], options: [] } });
});

test('a pod that CNI plugins cannot be told of is refused, where it has a network of its own', () => {
  const metadata = { ...METADATA, name: 'web;IP=10.0.0.1' };
  refuses({ metadata }, /K8S_POD_NAME for CNI plugins is "web;IP=10\.0\.0\.1", must be without ";"/);
  plan({ metadata, ...withNamespaces({ network: NamespaceMode.NODE }) });
});

test('a label that is too long is refused', () => {
  refuses({ labels: { long: 'x'.repeat(5000) } }, /labels: "long" has 5004 bytes/);
});
