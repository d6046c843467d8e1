import { SecurityProfileProfileType } from '../../api/cri/enums.ts';
import type { LinuxContainerSecurityContext, LinuxSandboxSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciSeccomp } from './oci-types.ts';
import { defaultSeccompProfile } from './seccomp-default.ts';
import { toOciSeccomp } from './seccomp-profile.ts';
import type { SeccompProfile, SeccompTarget } from './seccomp-profile.ts';

/** Which profile a request asks for. The caller reads a Localhost profile (parseSeccompProfile) and hands it in. */
export type SeccompChoice =
  { readonly use: 'RuntimeDefault' } | { readonly use: 'Unconfined' } | { readonly use: 'Localhost'; readonly path: string };

type SeccompRequest = Pick<LinuxContainerSecurityContext, 'seccomp' | 'seccompProfilePath'> & { readonly privileged: boolean };

/**
 * The choice of a container or sandbox: the SecurityProfile wins over the deprecated path. Without either it is Unconfined, as
 * the CRI says; a privileged container is Unconfined whatever is asked.
 * @throws DaemonError InvalidArgument for an unknown type, or a Localhost profile without an absolute path; FailedPrecondition
 * where a profile is asked for and the kernel has no seccomp.
 */
export function seccompChoice(request: SeccompRequest | undefined, host: Pick<HostFacts, 'seccomp'>): SeccompChoice {
  return requireSeccomp(wantedSeccomp(request), host);
}

/**
 * The choice of an infra container. Without a word of the request it is confined too: it only sleeps, so nothing is lost. A
 * kernel without seccomp has nothing to confine it with, and the kubelet asks for RuntimeDefault everywhere.
 * @throws as seccompChoice().
 */
export function infraSeccompChoice(
  request: Pick<LinuxSandboxSecurityContext, 'seccomp' | 'seccompProfilePath'> | undefined,
  host: Pick<HostFacts, 'seccomp'>,
): SeccompChoice {
  const isAsked = request !== undefined && (request.seccomp !== undefined || request.seccompProfilePath !== '');
  const choice: SeccompChoice = isAsked ? wantedSeccomp({ ...request, privileged: false }) : { use: 'RuntimeDefault' };
  if (choice.use === 'RuntimeDefault' && !host.seccomp) return { use: 'Unconfined' };
  return requireSeccomp(choice, host);
}

function requireSeccomp(choice: SeccompChoice, host: Pick<HostFacts, 'seccomp'>): SeccompChoice {
  if (choice.use === 'Unconfined' || host.seccomp) return choice;
  throw new DaemonError('FailedPrecondition', `build spec: seccomp profile ${choice.use} is asked for, but this kernel has no seccomp`);
}

function wantedSeccomp(request: SeccompRequest | undefined): SeccompChoice {
  if (request === undefined || request.privileged) return { use: 'Unconfined' };
  const { seccomp, seccompProfilePath } = request;
  if (seccomp === undefined) return choiceOfPath(seccompProfilePath);
  switch (seccomp.profileType) {
    case SecurityProfileProfileType.RuntimeDefault:
      return { use: 'RuntimeDefault' };
    case SecurityProfileProfileType.Unconfined:
      return { use: 'Unconfined' };
    case SecurityProfileProfileType.Localhost:
      return localhost(seccomp.localhostRef, 'seccomp.localhost_ref');
    default:
      throw new DaemonError(
        'InvalidArgument',
        `build spec: seccomp.profile_type is ${seccomp.profileType}, must be RuntimeDefault (0), Unconfined (1) or Localhost (2)`,
      );
  }
}

function choiceOfPath(path: string): SeccompChoice {
  if (path === '' || path === 'unconfined') return { use: 'Unconfined' };
  if (path === 'runtime/default' || path === 'docker/default') return { use: 'RuntimeDefault' };
  if (path.startsWith('localhost/')) return localhost(path.slice('localhost/'.length), 'seccomp_profile_path');
  throw new DaemonError(
    'InvalidArgument',
    `build spec: seccomp_profile_path is "${path}", must be runtime/default, unconfined or localhost/PATH`,
  );
}

function localhost(path: string, field: string): SeccompChoice {
  if (path.startsWith('/')) return { use: 'Localhost', path };
  throw new DaemonError('InvalidArgument', `build spec: the path in ${field} is ${JSON.stringify(path)}, must be absolute`);
}

export interface SeccompInput {
  readonly choice: SeccompChoice;
  readonly localhostProfile: SeccompProfile | undefined;
  /** In place of the built-in RuntimeDefault. */
  readonly runtimeDefault: SeccompProfile | undefined;
  /** The container's bounding set: some calls are allowed only with a capability. */
  readonly capabilities: readonly string[];
  readonly host: Pick<HostFacts, 'architecture' | 'kernel'>;
}

/** The seccomp part of the spec; undefined where nothing is confined. */
export function ociSeccomp(input: SeccompInput): OciSeccomp | undefined {
  const { choice, host } = input;
  if (choice.use === 'Unconfined') return undefined;
  const target: SeccompTarget = { architecture: host.architecture, kernel: host.kernel, capabilities: input.capabilities };
  if (choice.use === 'RuntimeDefault') return toOciSeccomp(input.runtimeDefault ?? defaultSeccompProfile, target);
  if (input.localhostProfile === undefined)
    throw new DaemonError('Internal', `build spec: seccomp profile ${choice.path} was not read, must be handed in`);
  return toOciSeccomp(input.localhostProfile, target);
}
