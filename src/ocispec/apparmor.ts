import { SecurityProfileProfileType } from '../../api/cri/enums.ts';
import type { LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError, fail } from '../base/errors.ts';

/** AppArmor of this node at the time of a request. */
export interface ApparmorFacts {
  /** The names of the profiles that the kernel has. */
  readonly loaded: ReadonlySet<string>;
  readonly runtimeDefault: RuntimeDefaultProfile;
}

/** What RuntimeDefault stands for: a name ("unconfined" too), or why it is not there. */
export type RuntimeDefaultProfile =
  | { readonly is: 'Ready'; readonly name: string }
  /** `isRequired`: the node's owner has named it, so nothing that asks for no other profile runs without it. */
  | { readonly is: 'Missing'; readonly why: string; readonly isRequired: boolean };

/** The profile that confines nothing, and is always there; apparmor(7). */
export const UNCONFINED = 'unconfined';

type ApparmorRequest = Pick<LinuxContainerSecurityContext, 'privileged' | 'apparmor' | 'apparmorProfile'>;

/**
 * The AppArmor profile's name; undefined where there is none to apply. `node` is undefined where AppArmor is off: RuntimeDefault
 * then confines nothing, as with both peers.
 * @throws DaemonError InvalidArgument for an unknown form, FailedPrecondition for a Localhost profile that is not loaded, and for
 * RuntimeDefault where AppArmor is on and the profile is missing.
 */
export function apparmorProfile(request: ApparmorRequest | undefined, node: ApparmorFacts | undefined): string | undefined {
  const wanted = wantedApparmor(request);
  if (wanted.use === 'Localhost') return loadedProfile(wanted.name, node);
  if (node === undefined) return undefined;
  if (wanted.use === 'Unconfined') return UNCONFINED;
  const { runtimeDefault } = node;
  if (runtimeDefault.is === 'Ready') return runtimeDefault.name;
  if (wanted.use === 'Nothing' && !runtimeDefault.isRequired) return undefined;
  return fail('FailedPrecondition', `build spec: the AppArmor profile of RuntimeDefault is not there: ${runtimeDefault.why}`);
}

function loadedProfile(name: string, node: ApparmorFacts | undefined): string {
  if (node?.loaded.has(name) === true) return name;
  const why = node === undefined ? 'AppArmor is off on this node' : 'it is not loaded on this node';
  return fail('FailedPrecondition', `build spec: AppArmor profile "${name}" is asked for, but ${why}`);
}

type ApparmorChoice = { readonly use: 'Nothing' | 'RuntimeDefault' | 'Unconfined' } | { readonly use: 'Localhost'; readonly name: string };

/** Of a privileged container only a profile of its own counts, as with containerd: the default one would take what it asked for. */
function wantedApparmor(request: ApparmorRequest | undefined): ApparmorChoice {
  const wanted = askedApparmor(request);
  return request?.privileged === true && wanted.use !== 'Localhost' ? { use: 'Unconfined' } : wanted;
}

/** The SecurityProfile wins over the deprecated string. Without either it is the default. */
function askedApparmor(request: ApparmorRequest | undefined): ApparmorChoice {
  const profile = request?.apparmor;
  if (profile === undefined) return apparmorOfString(request?.apparmorProfile ?? '');
  switch (profile.profileType) {
    case SecurityProfileProfileType.RuntimeDefault:
      return { use: 'RuntimeDefault' };
    case SecurityProfileProfileType.Unconfined:
      return { use: 'Unconfined' };
    case SecurityProfileProfileType.Localhost:
      return namedApparmor(profile.localhostRef, 'apparmor.localhost_ref');
    default:
      throw new DaemonError(
        'InvalidArgument',
        `build spec: apparmor.profile_type is ${profile.profileType}, must be RuntimeDefault (0), Unconfined (1) or Localhost (2)`,
      );
  }
}

function apparmorOfString(text: string): ApparmorChoice {
  if (text === '') return { use: 'Nothing' };
  if (text === 'runtime/default') return { use: 'RuntimeDefault' };
  if (text === 'unconfined') return { use: 'Unconfined' };
  if (text.startsWith('localhost/')) return namedApparmor(text, 'apparmor_profile');
  throw new DaemonError(
    'InvalidArgument',
    `build spec: apparmor_profile is "${text}", must be runtime/default, unconfined or localhost/NAME`,
  );
}

function namedApparmor(reference: string, field: string): ApparmorChoice {
  const name = reference.startsWith('localhost/') ? reference.slice('localhost/'.length) : reference;
  if (name === '') throw new DaemonError('InvalidArgument', `build spec: ${field} names no AppArmor profile, must name one`);
  return { use: 'Localhost', name };
}
