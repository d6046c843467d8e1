import type { NamespaceOption, PodSandboxConfig, PodSandboxMetadata } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import { newSandboxId } from '../base/ids.ts';
import { cniArgs } from '../cni/cni-args.ts';
import type { ApparmorFacts } from '../ocispec/apparmor.ts';
import { checkLabels } from '../ocispec/annotations.ts';
import { planInfra } from '../ocispec/infra.ts';
import { podSysctls } from '../ocispec/sysctls.ts';
import { checkUserIsMapped, planUserNamespace } from '../ocispec/id-mappings.ts';
import { checkGroupsPolicy, checkRequestId } from '../ocispec/id-range.ts';
import { refuseResourceClasses } from '../ocispec/unsupported.ts';
import { bandwidthOf } from './bandwidth.ts';
import type { SandboxParts } from './parts.ts';
import { shmSize } from './shm-size.ts';
import { checkSelinux } from './selinux.ts';
import { asksForDns, resolvConfText } from './pod-files.ts';
import { checkPortMappings } from './port-mappings.ts';
import type { SandboxRecord } from './sandbox.ts';

/** What a RunPodSandbox request asks for, checked and with its defaults. */
export interface SandboxPlan {
  readonly metadata: PodSandboxMetadata;
  /** Its labels are chosen when it is made. */
  readonly record: Omit<SandboxRecord, 'name' | 'createdAtNs' | 'bootId' | 'selinux'>;
}

/** sethostname(2). */
const HOSTNAME_LIMIT_BYTES = 64;
const NAME_LIMIT_BYTES = 1024;

/**
 * Checks a request before anything is done. What later steps make of a field (resolv.conf, sysctls, arguments of plugins) is
 * also made here, to learn whether it can be made. @throws InvalidArgument that says what is and what must be.
 */
export function planSandbox(
  config: PodSandboxConfig,
  runtimeHandler: string,
  parts: SandboxParts,
  apparmor: ApparmorFacts | undefined,
): SandboxPlan {
  const metadata = config.metadata ?? fail('InvalidArgument', 'run pod sandbox: config.metadata is missing, must be given');
  for (const field of ['name', 'namespace', 'uid'] as const) {
    if (metadata[field] === '') fail('InvalidArgument', `run pod sandbox: config.metadata.${field} is empty, must be given`);
  }
  const runtime = parts.runtimes.get(runtimeHandler);
  const options = config.linux?.securityContext?.namespaceOptions;
  const namespaces = planNamespaces(options);
  if (namespaces.user !== undefined) checkUserNamespace(config, namespaces, parts.runtimes.lacksForUserNamespaces(runtimeHandler));
  const id = newSandboxId();
  checkRunAs(config);
  checkNames(metadata);
  checkSelinux(config, parts);
  planInfra(config, parts.specSettings(runtime.name), parts.hostFacts(), apparmor);
  refuseResourceClasses('run pod sandbox', config.annotations);
  shmSize(config, runtime.name, parts);
  if (config.logDirectory !== '' && !config.logDirectory.startsWith('/')) {
    fail('InvalidArgument', `run pod sandbox: log_directory is "${config.logDirectory}", must be absolute`);
  }
  checkLabels(config.labels, 'run pod sandbox');
  podSysctls(config.linux?.sysctls ?? {}, namespaces, {});
  checkPortMappings(config.portMappings);
  if (asksForDns(config.dnsConfig)) resolvConfText(config.dnsConfig);
  if (namespaces.net === 'pod') {
    bandwidthOf(config.annotations);
    cniArgs(id, metadata);
  }
  const cgroupParent = parts.placement.parent(config.linux?.cgroupParent ?? '', id);
  return {
    metadata,
    record: {
      id,
      config,
      runtimeHandler: runtime.name,
      askedHandler: runtimeHandler,
      namespaces,
      hostname: planHostname(config, namespaces.net, parts),
      cgroupParent,
      ...(parts.placement.naming === 'crio' ? { cgroupsPath: parts.placement.cgroupsPath(cgroupParent, id) } : {}),
    },
  };
}

function planNamespaces(options: NamespaceOption | undefined): SandboxRecord['namespaces'] {
  const owner = (what: string, mode: number): 'pod' | 'node' => {
    if (mode === NamespaceMode.POD) return 'pod';
    if (mode === NamespaceMode.NODE) return 'node';
    return fail('InvalidArgument', `run pod sandbox: namespace_options.${what} is ${mode}, must be POD (0) or NODE (2)`);
  };
  const pid = options?.pid ?? NamespaceMode.POD;
  if (pid !== NamespaceMode.POD && pid !== NamespaceMode.NODE && pid !== NamespaceMode.CONTAINER) {
    fail('InvalidArgument', `run pod sandbox: namespace_options.pid is ${pid}, must be POD (0), CONTAINER (1) or NODE (2)`);
  }
  const user = planUserNamespace('run pod sandbox', options?.usernsOptions);
  return {
    net: owner('network', options?.network ?? NamespaceMode.POD),
    ipc: owner('ipc', options?.ipc ?? NamespaceMode.POD),
    pid: pid === NamespaceMode.POD ? 'pod' : pid === NamespaceMode.NODE ? 'node' : 'container',
    ...(user === undefined ? {} : { user }),
  };
}

/**
 * A user namespace goes with the pod's own PID and IPC namespaces alone, as Kubernetes has it: /proc of the node's cannot be mounted in it.
 * @param lacks what this node or the handler's runtime lacks for one.
 */
function checkUserNamespace(config: PodSandboxConfig, namespaces: SandboxRecord['namespaces'], lacks: string | undefined): void {
  for (const kind of ['pid', 'ipc'] as const) {
    if (namespaces[kind] === 'node')
      fail('InvalidArgument', `run pod sandbox: it asks for a user namespace and for the node's ${kind} namespace, must be one of them`);
  }
  const { runAsUser, runAsGroup, supplementalGroups = [] } = config.linux?.securityContext ?? {};
  const asked = {
    uid: runAsUser && Number(runAsUser.value),
    gid: runAsGroup && Number(runAsGroup.value),
    additionalGids: supplementalGroups.map(Number),
  };
  checkUserIsMapped('run pod sandbox', asked, namespaces.user);
  if (lacks !== undefined) fail('FailedPrecondition', `run pod sandbox: it asks for a user namespace (hostUsers: false), but ${lacks}`);
}

/** Names go into arguments of the monitor; Kubernetes' own have at most 253 characters. */
function checkNames({ name, namespace, uid }: PodSandboxMetadata): void {
  for (const [field, text] of Object.entries({ name, namespace, uid })) {
    const bytes = Buffer.byteLength(text);
    if (bytes > NAME_LIMIT_BYTES)
      fail('InvalidArgument', `run pod sandbox: config.metadata.${field} has ${bytes} bytes, must have at most ${NAME_LIMIT_BYTES}`);
  }
}

function checkRunAs(config: PodSandboxConfig): void {
  const context = config.linux?.securityContext;
  checkGroupsPolicy('run pod sandbox', context?.supplementalGroupsPolicy);
  checkRequestId('run pod sandbox', 'run_as_user', context?.runAsUser?.value);
  checkRequestId('run pod sandbox', 'run_as_group', context?.runAsGroup?.value);
  for (const group of context?.supplementalGroups ?? []) checkRequestId('run pod sandbox', 'supplemental_groups', group);
  if (context?.runAsGroup !== undefined && context.runAsUser === undefined) {
    fail('InvalidArgument', 'run pod sandbox: run_as_group is given without run_as_user');
  }
}

/** A pod on the node's network shares its UTS namespace: it has the node's name, whatever it asks for. */
function planHostname(config: PodSandboxConfig, net: 'pod' | 'node', parts: SandboxParts): string {
  const bytes = Buffer.byteLength(config.hostname);
  if (bytes > HOSTNAME_LIMIT_BYTES)
    fail('InvalidArgument', `run pod sandbox: config.hostname has ${bytes} bytes, must have at most ${HOSTNAME_LIMIT_BYTES}`);
  // It is a word in /etc/hosts.
  if (/\s/.test(config.hostname))
    fail('InvalidArgument', `run pod sandbox: config.hostname is ${JSON.stringify(config.hostname)}, must be one word`);
  if (net === 'node') return parts.hostFacts().hostname;
  return config.hostname !== '' ? config.hostname : hostnameOfPod(config.metadata?.name ?? '');
}

/** As many whole characters of the pod's name as a host's name can have. */
function hostnameOfPod(name: string): string {
  const characters = Array.from(name.replaceAll(/\s/g, '-'));
  while (Buffer.byteLength(characters.join('')) > HOSTNAME_LIMIT_BYTES) characters.pop();
  return characters.join('');
}
