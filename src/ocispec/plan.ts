import type { ContainerConfig } from '../../api/cri/runtime.ts';
import type { ImageProcessConfig } from '../base/image-process-config.ts';
import { capabilitySets } from './capabilities.ts';
import { planDevice } from './device-rules.ts';
import type { HostFacts } from './host-facts.ts';
import type { RuntimeFacts, SpecPlan, SpecSettings } from './input.ts';
import { planMount } from './mounts.ts';
import { processArgs, requestVariables, workingDirectory } from './process.ts';
import { ociResources } from './resources.ts';
import { seccompChoice } from './seccomp.ts';
import { apparmorProfile, pathRestrictions } from './security.ts';
import { askedUser } from './user.ts';

export interface SpecPlanInput {
  readonly config: ContainerConfig;
  readonly imageConfig: ImageProcessConfig;
  readonly runtime: RuntimeFacts;
  readonly settings: SpecSettings;
  readonly host: HostFacts;
  /** Told of what is odd in a secret and was changed. */
  readonly warn: (words: string) => void;
}

/**
 * Every refusal of a request that needs no look at the disk: it comes before the record of the container and the first effect,
 * and nothing after this checks the same again.
 * @throws DaemonError InvalidArgument for a request that contradicts itself, FailedPrecondition for what this host or this
 * runtime does not have, or the daemon itself may not do.
 */
export function planSpec({ config, imageConfig, runtime, settings, host, warn }: SpecPlanInput): SpecPlan {
  const security = config.linux?.securityContext;
  return {
    user: askedUser(security, imageConfig),
    resources: ociResources(config.linux?.resources, host),
    apparmorProfile: apparmorProfile(security, host, settings.apparmorProfile),
    seccomp: seccompChoice(security, host),
    capabilities: capabilitySets({
      request: security?.capabilities,
      privileged: security?.privileged === true,
      defaults: settings.defaultCapabilities,
      available: host.capabilities,
    }),
    ...pathRestrictions(security),
    mounts: config.mounts.map((mount) => planMount(mount, runtime)),
    devices: config.devices.map(planDevice),
    args: processArgs(config, imageConfig),
    variables: requestVariables(config.envs, warn),
    workingDirectory: workingDirectory(config, imageConfig),
  };
}
