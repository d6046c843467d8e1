import { DaemonError } from '../base/errors.ts';
import { isPinned } from '../linux/namespaces.ts';
import { cniArgs } from './cni-args.ts';
import { addressesOf, preferredFirst } from './result.ts';
import type { AttachmentRecord, PodIdentity } from './attachment-records.ts';
import type { CapabilityArgs } from './capability-args.ts';
import type { Target } from './network.ts';
import type { AddressPreference, CniResult } from './result.ts';

/** What an attach has to do with the life of its pod. */
export interface AttachLife {
  /** Its network namespace is there. The attach is on record before, and asks no plugin until then. */
  readonly namespaceMade?: Promise<void>;
  /** Called when the first plugin is being started. */
  readonly begun?: () => void;
}

export interface NetworkAttachRequest {
  /** The sandbox's id. */
  readonly containerId: string;
  readonly netnsPath: string;
  readonly pod: PodIdentity;
  /** Its runtime handler, which may have networks of its own. */
  readonly handler?: string;
  readonly capabilityArgs: CapabilityArgs;
}

export interface NetworkDetachRequest {
  readonly containerId: string;
  /** Undefined where the namespace is gone. */
  readonly netnsPath: string | undefined;
  readonly pod: PodIdentity;
  readonly handler?: string;
}

export interface Attachment {
  /** The pod's addresses, eth0's first, each interface's in the plugin's order; one of the preferred family before all. */
  readonly ips: string[];
  /** Each network's result as its plugins answered it. */
  readonly results: Readonly<Record<string, CniResult>>;
}

/** A detach that waits in the queue. */
export interface PendingDetach {
  readonly containerId: string;
  readonly pod: PodIdentity;
  /** The network's name; empty where the record is corrupt. */
  readonly network: string;
  readonly attempts: number;
  readonly lastError: string | undefined;
}

/** The pod's interface; the CRI knows no other. */
export const IFNAME = 'eth0';
export const UNKNOWN_POD: PodIdentity = { name: '', namespace: '', uid: '' };

export function attachmentOf(record: AttachmentRecord, result: CniResult, preference: AddressPreference = 'cni'): Attachment {
  return { ips: preferredFirst(addressesOf(result, record.ifName), preference), results: { [record.network.name]: result } };
}

export function targetOf(record: AttachmentRecord, netnsPath: string | undefined): Target {
  const { containerId, ifName, capabilityArgs, pod } = record;
  return { containerId, netnsPath, ifName, capabilityArgs, args: cniArgs(containerId, pod) };
}

/** SPEC.md, CNI_CONTAINERID; the id is a file name here, too. */
export function checkId(containerId: string): void {
  if (/^[A-Za-z0-9][\w.-]*$/.test(containerId)) return;
  throw new DaemonError('InvalidArgument', `container id is "${containerId}", must be letters, digits, "_", "." and "-"`);
}

/** The path, where a namespace is there. A file whose namespace is no longer mounted on it would only make plugins fail. */
export function existing(path: string | undefined): string | undefined {
  return path !== undefined && isPinned(path) ? path : undefined;
}
