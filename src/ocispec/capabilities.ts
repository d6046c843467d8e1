import type { LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import { namesOf } from '../linux/capabilities.ts';
import type { OciCapabilities } from './oci-types.ts';

/** Every capability there is a name for, in the order of their bits. */
const ALL_CAPABILITIES: readonly string[] = namesOf(2n ** 64n - 1n);

export interface CapabilityInput {
  readonly request: LinuxContainerSecurityContext['capabilities'];
  readonly privileged: boolean;
  /** What a container has that asks for nothing. */
  readonly defaults: readonly string[];
  /** The daemon's own set: nobody gets more. */
  readonly available: readonly string[];
}

/**
 * The capability sets of a container. `ALL` is first, then single names: `drop ALL, add CHOWN` is CHOWN alone, and
 * `add ALL, drop CHOWN` is all but CHOWN. What is in both lists is dropped. The inheritable set holds the ambient ones
 * only: the CRI's text would put all of them there, but then any program with inheritable file capabilities gains them
 * (CVE-2022-24769).
 * @throws DaemonError InvalidArgument for an unknown name, FailedPrecondition for one that the daemon does not have.
 */
export function capabilitySets({ request, privileged, defaults, available }: CapabilityInput): OciCapabilities {
  if (privileged) return sets(inOrder(new Set(available)), []);
  const added = parseList(request?.addCapabilities ?? [], 'add_capabilities');
  const ambient = parseList(request?.addAmbientCapabilities ?? [], 'add_ambient_capabilities');
  const dropped = parseList(request?.dropCapabilities ?? [], 'drop_capabilities');

  for (const name of [...added.names, ...ambient.names]) {
    if (!available.includes(name) && !dropped.names.has(name)) {
      throw new DaemonError(
        'FailedPrecondition',
        `build spec: capability ${name} is asked for, but the daemon does not have it itself on this node`,
      );
    }
  }
  const base = added.all || ambient.all ? available : defaults.map((name) => parseName(name, 'default capabilities'));
  const held = new Set(dropped.all ? [] : base);
  for (const name of [...added.names, ...ambient.names]) held.add(name);
  for (const name of dropped.names) held.delete(name);

  const own = new Set(available);
  const effective = inOrder(held).filter((name) => own.has(name));
  const inAmbient = effective.filter((name) => ambient.all || ambient.names.has(name));
  return sets(effective, inAmbient);
}

function sets(held: readonly string[], ambient: readonly string[]): OciCapabilities {
  return { bounding: held, effective: held, permitted: held, inheritable: ambient, ambient };
}

function inOrder(names: ReadonlySet<string>): string[] {
  return ALL_CAPABILITIES.filter((name) => names.has(name));
}

function parseList(names: readonly string[], field: string): { all: boolean; names: Set<string> } {
  const all = names.some((name) => name.toUpperCase() === 'ALL');
  return { all, names: new Set(names.filter((name) => name.toUpperCase() !== 'ALL').map((name) => parseName(name, field))) };
}

/** `net_admin`, `CAP_NET_ADMIN` -> `CAP_NET_ADMIN`. */
function parseName(name: string, field: string): string {
  const upper = name.toUpperCase();
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (ALL_CAPABILITIES.includes(full)) return full;
  throw new DaemonError('InvalidArgument', `build spec: ${field}: "${name}" is no capability, must be ALL or a name of capabilities(7)`);
}
