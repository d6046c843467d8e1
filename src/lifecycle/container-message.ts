import { readFile } from 'node:fs/promises';
import { ContainerState } from '../../api/nri/enums.ts';
import type { Container as ContainerMessage, LinuxContainer } from '../../api/nri/messages.ts';
import { unlessMissing } from '../base/errors.ts';
import { isAliveState, type Container, type ContainerRecord } from '../container/container.ts';
import type { Creation } from '../container/lifecycle.ts';
import { nriContainerOf, type ContainerOfSpec } from '../ocispec/nri-container.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import { specFromJson } from '../ocispec/spec-json.ts';

/** A container that is there, as plugins see it: its record, its state, and the spec that it was made with, limits as changed since. */
export async function containerMessage(specFile: string, { record, state }: Container): Promise<ContainerMessage> {
  const text = await unlessMissing(readFile(specFile, 'utf8'), undefined);
  const isAlive = isAliveState(state);
  const ended = 'exitCode' in state ? state : undefined;
  return {
    // A reboot takes the bundle.
    ...ofRecord(record, text === undefined ? WITHOUT_SPEC : nriContainerOf(specFromJson(text) as OciSpec)),
    state: stateOf(state.is),
    pid: isAlive ? state.process.pid : 0,
    startedAt: ('startedAtNs' in state ? state.startedAtNs : undefined) ?? 0n,
    finishedAt: ended?.finishedAtNs ?? 0n,
    exitCode: ended?.exitCode ?? 0,
    statusReason: ended?.reason ?? '',
    statusMessage: ended?.message ?? '',
  };
}

/** A container that is about to be made: it has no state yet. */
export function creationMessage({ record, spec }: Pick<Creation, 'record' | 'spec'>): ContainerMessage {
  return {
    ...ofRecord(record, nriContainerOf(spec)),
    state: ContainerState.CONTAINER_UNKNOWN,
    pid: 0,
    startedAt: 0n,
    finishedAt: 0n,
    exitCode: 0,
    statusReason: '',
    statusMessage: '',
  };
}

const NO_LINUX: LinuxContainer = {
  namespaces: [],
  devices: [],
  resources: undefined,
  oomScoreAdj: undefined,
  cgroupsPath: '',
  ioPriority: undefined,
  seccompProfile: undefined,
  seccompPolicy: undefined,
  sysctl: {},
  netDevices: {},
  scheduler: undefined,
  rdt: undefined,
};
const WITHOUT_SPEC: ContainerOfSpec = {
  annotations: {},
  args: [],
  env: [],
  mounts: [],
  hooks: undefined,
  linux: NO_LINUX,
  rlimits: [],
  user: undefined,
};

type OfRecord = 'id' | 'podSandboxId' | 'name' | 'labels' | 'createdAt' | 'cdiDevices' | keyof ContainerOfSpec;

function ofRecord(record: ContainerRecord, ofSpec: ContainerOfSpec): Pick<ContainerMessage, OfRecord> {
  const { config, id, sandboxId, createdAtNs } = record;
  const seccomp = config.linux?.securityContext?.seccomp;
  return {
    ...ofSpec,
    id,
    podSandboxId: sandboxId,
    name: config.metadata?.name ?? '',
    labels: { ...config.labels },
    annotations: { ...ofSpec.annotations, ...config.annotations },
    linux: {
      ...(ofSpec.linux ?? NO_LINUX),
      // The types of profiles have the same numbers in both protocols.
      seccompProfile: seccomp && { profileType: seccomp.profileType, localhostRef: seccomp.localhostRef },
    },
    createdAt: createdAtNs,
    cdiDevices: config.cdiDevices.map(({ name }) => ({ name })),
  };
}

function stateOf(is: Container['state']['is']): ContainerState {
  switch (is) {
    case 'Parked':
    case 'Created':
      return ContainerState.CONTAINER_CREATED;
    case 'Starting':
    case 'Running':
      return ContainerState.CONTAINER_RUNNING;
    case 'Exited':
    case 'Removing':
      return ContainerState.CONTAINER_STOPPED;
  }
}
