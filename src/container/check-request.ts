import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { HostFacts } from '../ocispec/host-facts.ts';
import { checkRequestId } from '../ocispec/id-range.ts';
import { ociResources } from '../ocispec/resources.ts';
import { apparmorProfile } from '../ocispec/security.ts';
import { checkContainerUserNamespace, refuseCdiDevices, refuseSelinuxOptions } from '../ocispec/unsupported.ts';

/** Least that a container can be started in, bytes; crun needs about as much for itself. Runtimes in Go need more, by version. */
const LEAST_MEMORY = 524_288n;

/**
 * The refusals of a CreateContainer request that need no more than the request and what the node is: they come before the
 * record and the first effect. @throws InvalidArgument or FailedPrecondition that name the field.
 */
export function checkContainerRequest(config: ContainerConfig, sandbox: Sandbox, host: HostFacts, apparmorDefault: string): void {
  const security = config.linux?.securityContext;
  const podSecurity = sandbox.record.config.linux?.securityContext;
  refuseCdiDevices(config);
  checkContainerUserNamespace(security?.namespaceOptions);
  refuseSelinuxOptions(security?.selinuxOptions ?? podSecurity?.selinuxOptions, host, 'create container');
  apparmorProfile(security, host, apparmorDefault);
  checkRequestId('create container', 'run_as_user', security?.runAsUser?.value);
  checkRequestId('create container', 'run_as_group', security?.runAsGroup?.value);
  for (const group of security?.supplementalGroups ?? []) checkRequestId('create container', 'supplemental_groups', group);
  checkMemoryLimit(config.linux?.resources?.memoryLimitInBytes ?? 0n);
  ociResources(config.linux?.resources, host);
  if (/(^|\/)\.{0,2}$|(^|\/)\.\.\//.test(config.logPath) && config.logPath !== '') {
    fail(
      'InvalidArgument',
      `create container: log_path is ${JSON.stringify(config.logPath)}, must be the path of a file below the log_directory of the pod, without ..`,
    );
  }
}

function checkMemoryLimit(limit: bigint): void {
  if (limit > 0n && limit < LEAST_MEMORY)
    fail(
      'InvalidArgument',
      `create container: memory_limit_in_bytes is ${limit}, must be 0 or at least ${LEAST_MEMORY}: no container starts in less`,
    );
}
