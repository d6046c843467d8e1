import type { NamespaceOption, PodSandboxConfig, PodSandboxMetadata } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import { newSandboxId } from '../base/ids.ts';
import { cniArgs } from '../cni/cni-args.ts';
import { checkLabels } from '../ocispec/annotations.ts';
import { planInfra } from '../ocispec/infra.ts';
import { podSysctls } from '../ocispec/sysctls.ts';
import { checkRequestId } from '../ocispec/id-range.ts';
import { refuseSelinuxOptions } from '../ocispec/unsupported.ts';
import { bandwidthOf } from './bandwidth.ts';
import type { SandboxParts } from './parts.ts';
import { asksForDns, resolvConfText } from './pod-files.ts';
import { checkPortMappings } from './port-mappings.ts';
import type { SandboxRecord } from './sandbox.ts';

/** What a RunPodSandbox request asks for, checked and with its defaults. */
export interface SandboxPlan {
  readonly metadata: PodSandboxMetadata;
  readonly record: Omit<SandboxRecord, 'name' | 'createdAtNs' | 'bootId'>;
}

/** sethostname(2). */
const HOSTNAME_LIMIT_BYTES = 64;
const NAME_LIMIT_BYTES = 1024;

/**
 * Checks a request before anything is done. What later steps make of a field (resolv.conf, sysctls, arguments of plugins) is
 * also made here, to learn whether it can be made. @throws InvalidArgument that says what is and what must be.
 */
export function planSandbox(config: PodSandboxConfig, runtimeHandler: string, parts: SandboxParts): SandboxPlan {
  const metadata = config.metadata ?? fail('InvalidArgument', 'run pod sandbox: config.metadata is missing, must be given');
  for (const field of ['name', 'namespace', 'uid'] as const) {
    if (metadata[field] === '') fail('InvalidArgument', `run pod sandbox: config.metadata.${field} is empty, must be given`);
  }
  const runtime = parts.runtimes.get(runtimeHandler);
  const options = config.linux?.securityContext?.namespaceOptions;
  const namespaces = planNamespaces(options);
  const id = newSandboxId();
  checkRunAs(config);
  checkNames(metadata);
  refuseSelinuxOptions(config.linux?.securityContext?.selinuxOptions, parts.hostFacts(), 'run pod sandbox');
  planInfra(config.linux?.securityContext, parts.specSettings(), parts.hostFacts());
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
  return {
    metadata,
    record: {
      id,
      config,
      runtimeHandler: runtime.name,
      askedHandler: runtimeHandler,
      namespaces,
      hostname: planHostname(config, namespaces.net, parts),
      cgroupParent: parts.placement.parent(config.linux?.cgroupParent ?? '', id),
    },
  };
}

function planNamespaces(options: NamespaceOption | undefined): SandboxRecord['namespaces'] {
  const owner = (what: string, mode: number): 'pod' | 'node' => {
    if (mode === NamespaceMode.POD) return 'pod';
    if (mode === NamespaceMode.NODE) return 'node';
    return fail('InvalidArgument', `run pod sandbox: namespace mode of ${what} is ${mode}, must be POD (0) or NODE (2)`);
  };
  const pid = options?.pid ?? NamespaceMode.POD;
  if (pid !== NamespaceMode.POD && pid !== NamespaceMode.NODE && pid !== NamespaceMode.CONTAINER) {
    fail('InvalidArgument', `run pod sandbox: namespace mode of pid is ${pid}, must be POD (0), CONTAINER (1) or NODE (2)`);
  }
  const user = options?.usernsOptions;
  if (user !== undefined) checkUserNamespace(user);
  return {
    net: owner('network', options?.network ?? NamespaceMode.POD),
    ipc: owner('ipc', options?.ipc ?? NamespaceMode.POD),
    pid: pid === NamespaceMode.POD ? 'pod' : pid === NamespaceMode.NODE ? 'node' : 'container',
  };
}

/** KEP-127: what the CRI forbids, and what this daemon cannot do yet. */
function checkUserNamespace(user: NonNullable<NamespaceOption['usernsOptions']>): void {
  const { mode, uids, gids } = user;
  if (mode === NamespaceMode.NODE) {
    if (uids.length > 0 || gids.length > 0)
      fail('InvalidArgument', 'run pod sandbox: user namespace mode is NODE, so it must have no uid or gid mappings');
    return;
  }
  if (mode !== NamespaceMode.POD) fail('InvalidArgument', `run pod sandbox: user namespace mode is ${mode}, must be POD (0) or NODE (2)`);
  for (const [what, mappings] of [
    ['uid', uids],
    ['gid', gids],
  ] as const) {
    // prettier-ignore
    if (mappings.length !== 1) fail('InvalidArgument', `run pod sandbox: the user namespace has ${mappings.length} ${what} mappings, must have 1`);
    if (mappings[0]?.containerId !== 0)
      fail('InvalidArgument', `run pod sandbox: the ${what} mapping of the user namespace must begin at container id 0`);
  }
  fail(
    'FailedPrecondition',
    'run pod sandbox: user namespaces are not supported by this version of podwright; the pod must use hostUsers: true',
  );
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
