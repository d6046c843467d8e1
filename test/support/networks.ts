/** Networks over a CNI lab, with short times. */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../../src/base/log.ts';
import { Networks } from '../../src/cni/networks.ts';
import type { NetworkAttachRequest, NetworkDetachRequest } from '../../src/cni/attachment.ts';
import type { NetworksOptions } from '../../src/cni/networks-options.ts';
import type { Log } from '../../src/base/log.ts';
import type { CniLab } from './cni.ts';

/** Most any operation of these tests may take. */
export const soon = (): AbortSignal => AbortSignal.timeout(30_000);

export function networksOf(lab: CniLab, more: Partial<NetworksOptions> = {}): Networks {
  const { confDir, binDir, cacheDir } = lab;
  return new Networks({
    confDir,
    binDirs: [binDir],
    cacheDir,
    log: silentLog,
    addTimeoutMs: 10_000,
    delTimeoutMs: 10_000,
    retryMs: 50,
    ...more,
  });
}

/** A log that keeps its warnings and errors. */
export function collectingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  const log: Log = { ...silentLog, warn: keep, error: keep, with: () => log };
  return { log, lines };
}

/** A request for a pod with a new id and a new namespace. */
export function podIn(lab: CniLab): NetworkAttachRequest {
  const containerId = randomBytes(32).toString('hex');
  const pod = { name: `pod-${containerId.slice(0, 6)}`, namespace: 'test', uid: containerId.slice(0, 8) };
  return { containerId, netnsPath: lab.namespace(containerId.slice(0, 12)), pod, capabilityArgs: {} };
}

/** The same pod, its namespace gone. */
export function withoutNamespace(lab: CniLab, pod: NetworkAttachRequest): NetworkDetachRequest {
  lab.removeNamespace(pod.containerId.slice(0, 12));
  return { ...pod, netnsPath: undefined };
}
