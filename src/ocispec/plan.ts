import type { ContainerConfig, LinuxContainerSecurityContext } from '../../api/cri/runtime.ts';
import type { ImageProcessConfig } from '../base/image-process-config.ts';
import { containerOrders } from './annotation-orders.ts';
import { handedAnnotations } from './annotations.ts';
import { apparmorProfile, type ApparmorFacts } from './apparmor.ts';
import { capabilitySets } from './capabilities.ts';
import { planDevice } from './device-rules.ts';
import type { HostFacts } from './host-facts.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import { checkUserIsMapped } from './id-mappings.ts';
import type { PlannedDevice, RuntimeFacts, SpecPlan, SpecSettings } from './input.ts';
import { planMount } from './mounts.ts';
import { processArgs, requestVariables, workingDirectory } from './process.ts';
import { ociResources, refuseSwapAlone } from './resources.ts';
import { seccompChoice } from './seccomp.ts';
import { pathRestrictions } from './security.ts';
import { refuseResourceClasses } from './unsupported.ts';
import { askedUser, type AskedUser } from './user.ts';

export interface SpecPlanInput {
  readonly config: ContainerConfig;
  /** Those of the pod, as RunPodSandbox was given them. */
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly imageConfig: ImageProcessConfig;
  readonly runtime: RuntimeFacts;
  readonly settings: SpecSettings;
  readonly host: HostFacts;
  /** The ids of the pod's user namespace, where it has one. */
  readonly userMapping?: UserMapping | undefined;
  /** Undefined where AppArmor is off. */
  readonly apparmor: ApparmorFacts | undefined;
  /** Told of what is odd in a secret and was changed. */
  readonly warn: (words: string) => void;
}

/**
 * Every refusal of a request that needs no look at the disk: it comes before the record of the container and the first effect,
 * and nothing after this checks the same again.
 * @throws DaemonError InvalidArgument for a request that contradicts itself, FailedPrecondition for what this host or this
 * runtime does not have, or the daemon itself may not do.
 */
export function planSpec(input: SpecPlanInput): SpecPlan {
  const { config, podAnnotations, imageConfig, runtime, settings, host, userMapping, apparmor, warn } = input;
  const security = config.linux?.securityContext;
  const user = askedUser(security, imageConfig);
  checkUserIsMapped('create container', numbersOf(user), userMapping);
  refuseSwapAlone(config.linux?.resources, host);
  const name = config.metadata?.name ?? '';
  const orders = containerOrders({ annotations: podAnnotations, settings, host, name, doing: 'create container', warn });
  refuseResourceClasses('create container', podAnnotations, config);
  const deviceOwner = settings.deviceOwnershipFromSecurityContext ? ownerOfDevices(security) : undefined;
  return {
    user,
    resources: ociResources(config.linux?.resources, host, settings.tolerateMissingHugetlb ? warn : undefined),
    apparmorProfile: apparmorProfile(security, apparmor),
    seccomp: seccompChoice(security, host),
    capabilities: capabilitySets({
      request: security?.capabilities,
      privileged: security?.privileged === true,
      defaults: settings.defaultCapabilities,
      available: host.capabilities,
    }),
    ...pathRestrictions(security),
    annotations: handedAnnotations(settings.handler, podAnnotations, config.annotations),
    mounts: config.mounts.map((mount) => planMount(mount, runtime, userMapping)),
    devices: [...settings.additionalDevices, ...orders.devices, ...config.devices.map((device) => planDevice(device, deviceOwner))],
    ulimits: [...orders.ulimits, ...settings.defaultUlimits.filter(({ type }) => !orders.ulimits.some((each) => each.type === type))],
    umask: orders.umask,
    cgroupWritable: settings.handler.cgroupWritable || orders.cgroupWritable,
    trySkipRelabel: orders.trySkipRelabel,
    args: processArgs(config, imageConfig),
    variables: requestVariables(config.envs, warn),
    workingDirectory: workingDirectory(config, imageConfig),
  };
}

/** What is known of the user before the image is looked into. */
function numbersOf({ user, group, supplementalGroups }: AskedUser): Parameters<typeof checkUserIsMapped>[1] {
  const number = (asked: number | string | undefined): number | undefined => (typeof asked === 'number' ? asked : undefined);
  return { uid: number(user), gid: number(group), additionalGids: supplementalGroups };
}

/** As CRI-O and containerd: the ids of the request, where they are not root's. */
function ownerOfDevices(security: LinuxContainerSecurityContext | undefined): PlannedDevice['owner'] {
  const notRoot = (id: bigint | undefined): number | undefined => (id === undefined || id <= 0n ? undefined : Number(id));
  return { uid: notRoot(security?.runAsUser?.value), gid: notRoot(security?.runAsGroup?.value) };
}
