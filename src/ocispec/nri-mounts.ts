import { posix } from 'node:path';
import { Field } from '../../api/nri/enums.ts';
import type { Mount } from '../../api/nri/messages.ts';
import { mountOf } from '../linux/mountinfo.ts';
import type { AdjustmentContext } from './nri-context.ts';
import { isProtectedInProc } from './mounts.ts';
import { entryKey, quoted, refuseNul, type Refuse } from './nri-refusal.ts';
import type { OciMount, OciSpec } from './oci-types.ts';

type Context = Pick<AdjustmentContext, 'runtime' | 'host' | 'hostMounts'>;
type RootPropagation = OciSpec['linux']['rootfsPropagation'];

/** What a plugin asks for that has no meaning for the kernel: upstream's word for "give it the container's SELinux label". */
const RELABEL = 'relabel';

/** A mount takes the place of the one at its destination; then parents stand before what lies in them, by name otherwise. */
export function withMounts(spec: OciSpec, asked: readonly Mount[], context: Context, refuse: Refuse): OciSpec {
  if (asked.length === 0) return spec;
  const mounts = [...spec.mounts];
  let propagation: RootPropagation = spec.linux.rootfsPropagation;
  for (const request of asked) {
    const { key, isRemoved } = entryKey(request.destination);
    const index = mounts.findIndex(({ destination }) => destination === key);
    if (index !== -1) mounts.splice(index, 1);
    if (isRemoved) continue;
    checkMount(request, context, (words) => refuse({ field: Field.Mounts, key }, `mounts: the one at ${quoted(key)} ${words}`));
    propagation = rootPropagation(propagation, request);
    mounts.push(ociMount(request));
  }
  const linux = propagation === undefined ? spec.linux : { ...spec.linux, rootfsPropagation: propagation };
  return { ...spec, mounts: mounts.toSorted(byDepthAndName), linux };
}

function ociMount({ destination, type, source, options }: Mount): OciMount {
  const kept = options.filter((option) => option !== RELABEL);
  return { destination, ...(type === '' ? {} : { type }), source, ...(kept.length === 0 ? {} : { options: kept }) };
}

function byDepthAndName(one: OciMount, other: OciMount): number {
  const difference = depth(one.destination) - depth(other.destination);
  if (difference !== 0) return difference;
  return Buffer.compare(Buffer.from(one.destination), Buffer.from(other.destination));
}

/** The slashes of a path, as Go's filepath.Clean leaves it. */
function depth(path: string): number {
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, '');
  return clean.split('/').length;
}

function checkMount(request: Mount, { runtime, host, hostMounts }: Context, refuse: (words: string) => never): void {
  const { destination, type, source, options } = request;
  const isBind = type === 'bind' || options.some((option) => option === 'bind' || option === 'rbind');
  refuseNul([destination, type, source, ...options], refuse);
  if (!destination.startsWith('/') || posix.resolve(destination) === '/') refuse('must be at an absolute path below the root');
  if (isProtectedInProc(posix.resolve(destination), type === 'proc' ? '/proc' : source))
    refuse('is in /proc, must not be: the runtime relies on that to confine the container');
  if (isBind && !source.startsWith('/')) refuse(`has the source ${quoted(source)}, must be an absolute path of the node`);
  if (!isBind && type === '') refuse('has no type, must have one, or bind among its options');
  if (options.includes('rro') && !runtime.recursiveReadOnlyMounts)
    refuse('has the option rro, must not: the runtime handler has no recursive read-only mounts');
  if (options.some((option) => option === 'idmap' || option === 'ridmap') && !runtime.idmapMounts)
    refuse('has the option idmap or ridmap, must not: the runtime handler has no id-mapped mounts');
  if (options.includes(RELABEL) && host.selinux)
    refuse('has the option relabel, must not: a source is labelled only where the request of the container asks for it');
  const option = options.findLast((each) => each === 'rprivate' || each === 'rshared' || each === 'rslave');
  if (!isBind || (option !== 'rshared' && option !== 'rslave')) return;
  const on = mountOf(hostMounts, posix.resolve(source));
  if (on?.propagation === 'shared' || (option === 'rslave' && on?.isSlave === true)) return;
  const must = option === 'rshared' ? 'shared' : 'shared or slave';
  refuse(
    `is ${option}, and its source ${quoted(source)} is on the mount ${quoted(on?.target ?? '')}, which is ${on?.propagation ?? 'not known'}, must be ${must}`,
  );
}

/** A mount cannot spread further than the root file system that it is in. */
function rootPropagation(before: RootPropagation, { options }: Mount): RootPropagation {
  const option = options.findLast((each) => each === 'rprivate' || each === 'rshared' || each === 'rslave');
  if (option === 'rshared') return 'rshared';
  return option === 'rslave' && before !== 'rshared' ? 'rslave' : before;
}
