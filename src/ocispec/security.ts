import { SecurityProfileProfileType } from '../../api/cri/enums.ts';
import type { LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { HostFacts } from './host-facts.ts';

/** Files of /proc and /sys that tell of the machine or of other containers, or reach into hardware. */
const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts', // tells when keys are pressed and packets come in all other containers
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap', // power readings give away keys: CVE-2020-8694
  '/sys/firmware',
];

const READONLY_PATHS: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

type PathsRequest = Pick<LinuxContainerSecurityContext, 'privileged' | 'maskedPaths' | 'readonlyPaths'>;

/**
 * What is hidden and what is read-only. The kubelet sends its lists, and empty ones for procMount Unmasked; on the wire an empty
 * list and none look alike, so only a request without any security context gets the defaults. Our paths are added to a list that
 * is not empty: the kubelet's list is older than some of them.
 */
export function pathRestrictions(request: PathsRequest | undefined): { maskedPaths: string[]; readonlyPaths: string[] } {
  if (request === undefined) return { maskedPaths: [...MASKED_PATHS], readonlyPaths: [...READONLY_PATHS] };
  if (request.privileged) return { maskedPaths: [], readonlyPaths: [] };
  const maskedPaths = request.maskedPaths.length === 0 ? [] : [...new Set([...request.maskedPaths, ...MASKED_PATHS])];
  return { maskedPaths: checkPaths('masked_paths', maskedPaths), readonlyPaths: checkPaths('readonly_paths', request.readonlyPaths) };
}

function checkPaths(field: string, paths: readonly string[]): string[] {
  const broken = paths.find((path) => !path.startsWith('/'));
  if (broken === undefined) return [...paths];
  throw new DaemonError('InvalidArgument', `build spec: ${field} has ${JSON.stringify(broken)}, must be absolute`);
}

type ApparmorRequest = Pick<LinuxContainerSecurityContext, 'privileged' | 'apparmor' | 'apparmorProfile'>;

/**
 * The AppArmor profile's name; undefined where there is none to apply. `runtimeDefault` is the name of what the node's
 * owner has loaded, or empty.
 * @throws DaemonError InvalidArgument for an unknown form, FailedPrecondition for a profile on a host without AppArmor, and for
 * an explicit RuntimeDefault on a host with AppArmor whose owner has named no profile: it would confine nothing.
 */
export function apparmorProfile(
  request: ApparmorRequest | undefined,
  host: Pick<HostFacts, 'apparmor'>,
  runtimeDefault: string,
): string | undefined {
  const wanted = wantedApparmor(request);
  if (wanted.use === 'Localhost' && !host.apparmor) {
    throw new DaemonError(
      'FailedPrecondition',
      `build spec: AppArmor profile "${wanted.name}" is asked for, but AppArmor is off on this node`,
    );
  }
  if (!host.apparmor) return undefined;
  if (wanted.use === 'Localhost') return wanted.name;
  if (wanted.use === 'Unconfined') return 'unconfined';
  if (runtimeDefault !== '') return runtimeDefault;
  if (wanted.use === 'Nothing') return undefined;
  throw new DaemonError(
    'FailedPrecondition',
    'build spec: the AppArmor profile RuntimeDefault is asked for, but this node has none: apparmor_profile in the configuration must name one that is loaded',
  );
}

type ApparmorChoice = { readonly use: 'Nothing' | 'RuntimeDefault' | 'Unconfined' } | { readonly use: 'Localhost'; readonly name: string };

/** The SecurityProfile wins over the deprecated string. Without either it is the default. */
function wantedApparmor(request: ApparmorRequest | undefined): ApparmorChoice {
  if (request?.privileged === true) return { use: 'Unconfined' };
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
