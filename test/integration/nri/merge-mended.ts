/** Answers of plugins on which src/nri/merge means something else than github.com/containerd/nri v0.12.0: why, and what comes of both. */
import type { ContainerAdjustment, ContainerUpdate, Init, LinuxContainerAdjustment } from '../../../api/nri/messages.ts';
import { CREATE, shares, UPDATE } from './merge-cases.ts';
import { refusalOf } from './merge-lab.ts';
import type { MergeCase, Outcome } from './merge-lab.ts';

/** One thing that is mended. */
export interface Mended {
  readonly reason: string;
  readonly one: MergeCase;
  /** What of an outcome shows it. */
  readonly look: (outcome: Outcome) => unknown;
  readonly ours: unknown;
  readonly theirs: unknown;
}

const create = (...answers: readonly Init<ContainerAdjustment>[]): MergeCase => ({
  name: 'mended',
  call: 'create',
  request: CREATE,
  answers: answers.map((adjust) => ({ adjust })),
});
const linux = (...answers: readonly Init<LinuxContainerAdjustment>[]): MergeCase => create(...answers.map((one) => ({ linux: one })));
const update = (...answers: readonly (readonly Init<ContainerUpdate>[])[]): MergeCase => ({
  name: 'mended',
  call: 'update',
  request: UPDATE,
  answers: answers.map((one) => ({ update: one })),
});
const pids = (containerId: string, limit: bigint): Init<ContainerUpdate> => ({ containerId, linux: { resources: { pids: { limit } } } });

/** A refusal, in few words; undefined where there is none. */
const refused = ({ refusal }: Outcome): unknown => (refusal === undefined ? undefined : refusalOf(refusal).about);
const adjusted = ({ validation }: Outcome): ContainerAdjustment => validation!.adjust!;

/** Nameless things, which the module takes: its runtimes then fail in words that name no plugin, or do nothing. */
const NAMELESS: readonly (readonly [string, Init<ContainerAdjustment>])[] = [
  ['an annotation without a key', { annotations: { '': '1' } }],
  ['an annotation without a key', { annotations: { '-': '1' } }],
  ['a mount without a destination', { mounts: [{ source: '/x' }] }],
  ['a mount without a destination', { mounts: [{ destination: '-' }] }],
  ['an environment variable without a name', { env: [{ value: '1' }] }],
  ['an OCI hook without a path', { hooks: { poststop: [{ args: ['x'] }] } }],
  ['a device without a path', { linux: { devices: [{ type: 'c' }] } }],
  ['a namespace without a type', { linux: { namespaces: [{ path: '/x' }] } }],
  ['a sysctl without a name', { linux: { sysctl: { '': '1' } } }],
  ['a network device without a name', { linux: { netDevices: { '-': { name: 'x' } } } }],
  ['a hugepage limit without a page size, for container c1', { linux: { resources: { hugepageLimits: [{ limit: 1n }] } } }],
  ['a unified resource without a name, for container c1', { linux: { resources: { unified: { '': '1' } } } }],
  ['an rlimit without a type', { rlimits: [{ hard: 1n }] }],
  ['a CDI device without a name', { cdiDevices: [{}] }],
];

const MIB = 1024 * 1024;

export const MENDED: readonly Mended[] = [
  {
    reason: 'a removal takes away what an earlier plugin has set; in the module both stay, and chance decides which is done',
    one: create({ annotations: { a: '1' } }, { annotations: { '-a': '' } }),
    look: (outcome) => adjusted(outcome).annotations,
    ours: { '-a': '' },
    theirs: { a: '1', '-a': '' },
  },
  {
    reason: 'the same of sysctls, whose removals the module also puts among the annotations',
    one: linux({ sysctl: { 'net.a': '1' } }, { sysctl: { '-net.a': '' } }),
    look: (outcome) => [adjusted(outcome).linux!.sysctl, adjusted(outcome).annotations],
    ours: [{ '-net.a': '' }, {}],
    theirs: [{ 'net.a': '1' }, { '-net.a': '' }],
  },
  {
    reason: 'the same of network devices',
    one: linux({ netDevices: { eth1: { name: 'a' } } }, { netDevices: { '-eth1': {} } }),
    look: (outcome) => adjusted(outcome).linux!.netDevices,
    ours: { '-eth1': { name: '' } },
    theirs: { eth1: { name: 'a' }, '-eth1': { name: '' } },
  },
  {
    reason: 'what one plugin has set and another has taken away a third cannot set, as it is with mounts',
    one: create({ annotations: { a: '1' } }, { annotations: { '-a': '' } }, { annotations: { a: '2' } }),
    look: ({ refusal }) => /plugins "?\d+-(.)"? and "?\d+-(.)"?/.exec(refusal ?? '')?.slice(1),
    ours: ['c', 'b'],
    theirs: ['c', 'a'],
  },
  {
    reason: 'a removal of an environment variable reaches the runtime: else the container’s own would come back',
    one: create({ env: [{ key: 'OWN', value: '2' }] }, { env: [{ key: '-OWN' }] }),
    look: (outcome) => adjusted(outcome).env,
    ours: [{ key: '-OWN', value: '' }],
    theirs: [],
  },
  {
    reason: 'by a name with a = two plugins could set one variable, without a conflict',
    one: create({ env: [{ key: 'A', value: '1' }] }, { env: [{ key: 'A=2', value: '3' }] }),
    look: refused,
    ours: 'NRI plugin 20-b: an environment variable with the name "A=2"',
    theirs: undefined,
  },
  {
    reason: 'an empty first word and nothing after it gives the container its own command again, also for the next plugin’s eyes',
    one: create({ args: ['sh'] }, { args: [''] }),
    look: (outcome) => [adjusted(outcome).args, outcome.seen!.container!.args],
    ours: [[], ['sleep', '1']],
    theirs: [[], []],
  },
  {
    reason: 'a limit for hugepages takes the place of the container’s own of that size in what plugins see',
    one: {
      ...create({ linux: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 2n }] } } }),
      request: { container: { id: 'c1', linux: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 1n }] } } } },
    } as MergeCase,
    look: (outcome) => (outcome.seen as typeof CREATE).container!.linux!.resources!.hugepageLimits!.map(({ limit }) => limit),
    ours: [2n],
    theirs: [1n, 2n],
  },
  {
    reason: 'an update sets the limit of processes; the module looks for it in the request instead of the answer',
    one: update([pids('c1', 5n), pids('o1', 6n)]),
    look: ({ own, updates }) => [own!.pids, updates![0]!.linux!.resources!.pids],
    ours: [{ limit: 5n }, { limit: 6n }],
    theirs: [undefined, undefined],
  },
  {
    reason: 'for the same cause two plugins conflict there about a limit of processes that neither has named',
    one: { ...update([shares('c1', 1n)], [{ containerId: 'c1', linux: { resources: { unified: { a: '1' } } } }]), request: { ...UPDATE, linuxResources: { pids: { limit: 9n } } } } as MergeCase, // prettier-ignore
    look: (outcome) => refused(outcome) ?? outcome.own!.pids,
    ours: { limit: 9n },
    theirs: 'PidsLimit',
  },
  {
    reason: 'an update that says nothing of its container leaves what the kubelet has asked for; in the module that is lost',
    one: update([{ containerId: 'c1' }]),
    look: ({ own }) => [own!.memory!.limit, own!.cpu!.quota],
    ours: [{ value: 1000n }, { value: -1n }],
    theirs: [undefined, undefined],
  },
  {
    reason: 'an update that may fail and does owns nothing: a third plugin may set what it could not',
    one: update(
      [{ containerId: 'o1', linux: { resources: { cpu: { shares: { value: 1n } } } } }],
      [
        {
          containerId: 'o1',
          ignoreFailure: true,
          linux: { resources: { memory: { limit: { value: 1n } }, cpu: { shares: { value: 2n } } } },
        },
      ],
      [{ containerId: 'o1', linux: { resources: { memory: { limit: { value: 3n } } } } }],
    ),
    look: (outcome) => refused(outcome) ?? outcome.updates![0]!.linux!.resources!.memory!.limit,
    ours: { value: 3n },
    theirs: 'MemLimit',
  },
  {
    reason: 'an update without the id of a container is refused',
    one: update([shares('', 1n)]),
    look: refused,
    ours: 'NRI plugin 10-a: an update without the id of a container',
    theirs: undefined,
  },
  ...NAMELESS.map(([words, adjust]) => ({
    reason: `${words} is refused: the module takes it, and its runtimes fail at it or do nothing`,
    one: create(adjust),
    look: refused,
    ours: `NRI plugin 10-a: ${words}`,
    theirs: undefined,
  })),
  {
    reason: 'adjustments have a limit together: the module has none, and the next plugin could get a message that is too large',
    one: create({ annotations: { a: 'x'.repeat(MIB / 2) } }, { annotations: { b: 'x'.repeat(MIB / 2) } }),
    look: refused,
    ours: 'NRI plugin 20-b: its adjustments and those of plugins before it come to 1048598 bytes, at most 1048576 are taken',
    theirs: undefined,
  },
  {
    reason: 'updates have a limit together',
    one: update([shares('o1', 1n, { linux: { resources: { cpu: { cpus: 'x'.repeat(MIB) } } } })], [shares('o2', 1n, { linux: { resources: { cpu: { cpus: 'x'.repeat(MIB) } } } })]), // prettier-ignore
    look: (outcome) => (refused(outcome) as string | undefined)?.replace(/\d{7}/, 'N'),
    ours: 'NRI plugin 20-b: its updates and those of plugins before it come to N bytes, at most 2097152 are taken',
    theirs: undefined,
  },
  {
    reason: 'no more containers are updated than a node has',
    one: update(Array.from({ length: 100_000 }, (_, index) => ({ containerId: `no-such-container-${index}` }))),
    look: refused,
    ours: 'NRI plugin 10-a: its updates and those of plugins before it are 100000, at most 10000 are taken',
    theirs: undefined,
  },
];
