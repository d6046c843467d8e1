import type { LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';

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
