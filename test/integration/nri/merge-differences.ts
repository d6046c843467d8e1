/** Where src/nri/merge means to differ from github.com/containerd/nri v0.12.0, and nowhere else. */
import { Field } from '../../../api/nri/messages.ts';
import type { Container, LinuxRdt } from '../../../api/nri/messages.ts';
import { removalOf } from '../../../src/nri/merge/removal.ts';
import { sysctlOwners } from './merge-lab.ts';
import type { MergeCase, Outcome } from './merge-lab.ts';

/** A difference that can be taken out of two outcomes, so that the rest of them must be equal. */
export interface Difference {
  readonly reason: string;
  readonly level: (ours: Outcome, theirs: Outcome, one: MergeCase) => void;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    reason: 'removals of environment variables reach the runtime: the module drops them, so that the container keeps its own',
    level: (ours) => {
      const adjust = ours.validation?.adjust;
      if (adjust !== undefined) adjust.env = adjust.env.filter(({ key }) => !key.startsWith('-'));
    },
  },
  {
    reason: 'removals of devices reach the runtime: the module drops them likewise',
    level: (ours) => {
      const linux = ours.validation?.adjust?.linux;
      if (linux !== undefined) linux.devices = linux.devices.filter(({ path }) => !path.startsWith('-'));
    },
  },
  {
    reason: 'removals of sysctls are among the sysctls: the module 0.12.0 puts them among the annotations (mended after it)',
    level: (_ours, theirs) => {
      const adjust = theirs.validation?.adjust;
      for (const [name, value] of Object.entries(adjust?.annotations ?? {})) {
        if (!name.startsWith('-net.')) continue; // how the cases name sysctls, and nothing else
        Reflect.deleteProperty(adjust!.annotations, name);
        adjust!.linux!.sysctl[name] = value;
      }
    },
  },
  {
    reason: 'removals of sysctls have owners, so that reject_sysctl_adjustment sees them',
    level: (ours) => {
      const id = ours.validation?.container?.id ?? '';
      const owners = sysctlOwners(ours, id);
      for (const name of Object.keys(owners ?? {})) if (name.startsWith('-')) Reflect.deleteProperty(owners!, name);
      const fields = ours.validation?.owners?.owners[id]?.compound;
      if (owners === undefined || Object.keys(owners).length > 0) return;
      Reflect.deleteProperty(fields!, String(Field.Sysctl));
      const { simple, compound } = ours.validation!.owners!.owners[id]!;
      if (Object.keys({ ...simple, ...compound }).length === 0) ours.validation!.owners!.owners = {};
    },
  },
  {
    reason: 'what was removed from a map is gone for the next plugin: in the module it is still there',
    level: (_ours, theirs, one) => {
      if (one.call !== 'create' || theirs.seen?.container === undefined) return;
      const { annotations, linux } = theirs.seen.container;
      for (const { adjust } of one.answers) {
        const maps = [
          [annotations, adjust?.annotations],
          [linux?.sysctl, adjust?.linux?.sysctl],
          [linux?.netDevices, adjust?.linux?.netDevices],
        ] as const;
        for (const [seen, answered] of maps) dropRemoved(seen ?? {}, one, answered ?? {});
      }
    },
  },
  {
    reason: 'an rlimit takes the place of the one of its type in what the next plugin sees: the module shows both',
    level: (_ours, theirs) => {
      const container = theirs.seen?.container;
      if (container === undefined) return;
      container.rlimits = container.rlimits.filter(({ type }, place, all) => all.findLastIndex((other) => other.type === type) === place);
    },
  },
  {
    reason: 'the next plugin sees the RDT that was set, which the module does not show',
    level: (ours, theirs) => {
      for (const { seen } of [ours, theirs]) Reflect.deleteProperty(seen?.container?.linux ?? {}, 'rdt');
    },
  },
  {
    reason: 'the module has an empty RDT wherever a plugin adjusts anything of linux',
    level: (ours, theirs) => {
      for (const { validation } of [ours, theirs]) {
        const linux = validation?.adjust?.linux;
        if (linux !== undefined && isEmptyRdt(linux.rdt)) linux.rdt = undefined;
      }
    },
  },
];

const isEmptyRdt = (rdt: LinuxRdt | undefined): boolean =>
  rdt !== undefined && !rdt.remove && [rdt.closId, rdt.schemata, rdt.enableMonitoring].every((value) => value === undefined);

/** Takes out of what the next plugin would see the entries whose last word is a removal. */
function dropRemoved(seen: Record<string, unknown>, one: MergeCase & { call: 'create' }, answered: object): void {
  for (const name of Object.keys(answered)) {
    const key = name.slice(1);
    if (!name.startsWith('-') || Object.hasOwn(answered, key)) continue;
    const last = one.answers.findLast(({ adjust }) => {
      const maps = [adjust?.annotations, adjust?.linux?.sysctl, adjust?.linux?.netDevices];
      return maps.some((map) => map !== undefined && (Object.hasOwn(map, key) || Object.hasOwn(map, removalOf(key))));
    });
    const maps = [last?.adjust?.annotations, last?.adjust?.linux?.sysctl, last?.adjust?.linux?.netDevices];
    if (!maps.some((map) => map !== undefined && Object.hasOwn(map, key))) Reflect.deleteProperty(seen, key);
  }
}

/** What has no order in the module is sorted: the namespaces that the next plugin sees, and removals of mounts side by side. */
export function sortUnordered({ seen, validation }: Outcome): void {
  const container: Container | undefined = seen?.container;
  container?.linux?.namespaces.sort((a, b) => a.type.localeCompare(b.type));
  const mounts = validation?.adjust?.mounts ?? [];
  for (let start = 0; start < mounts.length; start += 1) {
    let end = start;
    while (mounts[end]?.destination.startsWith('-') === true) end += 1;
    const run = mounts.slice(start, end).sort((a, b) => a.destination.localeCompare(b.destination));
    mounts.splice(start, run.length, ...run);
    start = end;
  }
}
