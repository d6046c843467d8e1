import type { SELinuxOption } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';

/** The labels of a container's processes and of its files, each `user:role:type:level`. */
export interface SelinuxLabels {
  readonly process: string;
  readonly mount: string;
}

/** SELinux of this node, where it is on and the configuration says that containers get labels. */
export interface SelinuxFacts {
  /** What a container's processes and files are labelled with, by the policy. */
  readonly defaults: SelinuxLabels;
  /** Whether pods on the node's network are not confined, unless they ask for a type. */
  readonly hostNetworkUnconfined: boolean;
}

/** "Super privileged container": it may do what the user may. */
export const UNCONFINED_TYPE = 'spc_t';
const UNCONFINED_LEVEL = 's0';
const CATEGORIES = 1024;
/** A pair is found at the first try until thousands of pods run; pairs are 523,776. */
const MOST_TRIES = 10_000;

interface Context {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** The level may have colons itself. */
function parseLabel(label: string): Context {
  const [user = '', role = '', type = '', ...level] = label.split(':');
  return { user, role, type, level: level.join(':') };
}

function formatLabel({ user, role, type, level }: Context): string {
  return [user, role, type, ...(level === '' ? [] : [level])].join(':');
}

export function levelOf(label: string): string {
  return parseLabel(label).level;
}

/** Lays what a request names over the labels that are there without; user and level are those of the files, too. */
function withOptions(base: SelinuxLabels, options: SELinuxOption | undefined): SelinuxLabels {
  const process = parseLabel(base.process);
  const user = options?.user || process.user;
  const level = options?.level || process.level;
  return {
    process: formatLabel({ user, role: options?.role || process.role, type: options?.type || process.type, level }),
    mount: formatLabel({ ...parseLabel(base.mount), user, level }),
  };
}

/** The labels that the containers of a pod have unless they ask for others. @param newLevel is called where the request names no level. */
export function podSelinuxLabels(options: SELinuxOption | undefined, { defaults }: SelinuxFacts, newLevel: () => string): SelinuxLabels {
  const labels = withOptions(defaults, options);
  // A policy may have no levels.
  return options?.level || levelOf(defaults.process) === ''
    ? labels
    : withOptions(labels, { user: '', role: '', type: '', level: newLevel() });
}

interface ContainerSelinuxInput {
  /** Those of its pod. */
  readonly pod: SelinuxLabels;
  readonly podOptions: SELinuxOption | undefined;
  readonly options: SELinuxOption | undefined;
  readonly privileged: boolean;
  /** Whether its pod uses a namespace of the node that labels would make useless. */
  readonly usesHost: boolean;
}

/**
 * The labels of a container. A privileged one is not confined, whatever it asks for, and one that uses the node's namespaces unless
 * it asks for a type; their files have the labels of the pod's all the same, so that the other containers of the pod can use them.
 */
export function containerSelinuxLabels(input: ContainerSelinuxInput): SelinuxLabels {
  const labels = withOptions(input.pod, input.options);
  const asksForType = (input.options?.type || input.podOptions?.type || '') !== '';
  if (!input.privileged && (!input.usesHost || asksForType)) return labels;
  const { user, role } = parseLabel(input.pod.process);
  return { ...labels, process: formatLabel({ user, role, type: UNCONFINED_TYPE, level: UNCONFINED_LEVEL }) };
}

/** Refuses what can be no part of a label; whether the policy has it, the kernel tells. @throws InvalidArgument that names the field. */
export function checkSelinuxOptions(options: SELinuxOption | undefined, doing: string): void {
  if (options === undefined) return;
  for (const field of ['user', 'role', 'type'] as const) {
    if (!/^[\w.-]{0,255}$/.test(options[field]))
      fail('InvalidArgument', `${doing}: selinux_options.${field} is ${shown(options[field])}, must be a word of letters, digits, _ . -`);
  }
  if (
    options.level !== '' &&
    !/^s\d{1,4}(-s\d{1,4})?(:c\d{1,4}([.,]c\d{1,4})*)?(-s\d{1,4}(:c\d{1,4}([.,]c\d{1,4})*)?)?$/.test(options.level)
  )
    fail('InvalidArgument', `${doing}: selinux_options.level is ${shown(options.level)}, must be a level such as "s0:c1,c2"`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

/** A level with two categories that no other pod has. @throws ResourceExhausted where hardly any is left. */
export function newSelinuxLevel(taken: ReadonlySet<string>, random: (below: number) => number): string {
  for (let count = 0; count < MOST_TRIES; count += 1) {
    const [one, other] = [random(CATEGORIES), random(CATEGORIES)];
    const level = `s0:c${Math.min(one, other)},c${Math.max(one, other)}`;
    if (one !== other && !taken.has(level)) return level;
  }
  return fail('ResourceExhausted', `run pod sandbox: ${taken.size} SELinux levels are taken, and no free one was found`);
}

/** What belongs to the node: with the labels of one container, its other programs would not work any more. */
const NEVER_RELABELLED = new Set([
  '/', '/bin', '/boot', '/dev', '/etc', '/etc/kubernetes', '/etc/passwd', '/etc/pki', '/etc/shadow', '/etc/ssl', '/home', '/lib',
  '/lib64', '/media', '/mnt', '/opt', '/proc', '/root', '/run', '/sbin', '/srv', '/sys', '/tmp', '/usr', '/usr/bin', '/usr/lib',
  '/usr/lib64', '/usr/local', '/usr/sbin', '/usr/share', '/var', '/var/lib', '/var/lib/containers', '/var/lib/kubelet', '/var/log',
  '/var/run', '/var/tmp',
]); // prettier-ignore

/** @param path absolute and normal. @throws InvalidArgument where a container may not have it relabelled. */
export function refuseSystemPath(path: string): void {
  if (!NEVER_RELABELLED.has(path) && !/^\/(proc|sys|dev)\//.test(path)) return;
  fail(
    'InvalidArgument',
    `create container: mounts.selinux_relabel is true for ${path}, which belongs to the node, must be false: the node would not work with the labels of a container`,
  );
}
