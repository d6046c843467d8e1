import { NamespaceMode } from '../../api/cri/enums.ts';
import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { HostFacts } from '../ocispec/host-facts.ts';
import { checkLabels } from '../ocispec/annotations.ts';
import { checkContainerUserNamespace } from '../ocispec/id-mappings.ts';
import { refuseSelinuxOptions } from '../ocispec/unsupported.ts';

/** Least that a container can be started in, bytes; crun needs about as much for itself. Runtimes in Go need more, by version. */
const LEAST_MEMORY = 524_288n;

/** Modes that the CRI has; a number of tomorrow is not taken for one of them. */
const MODES: readonly number[] = Object.values(NamespaceMode);

/**
 * The refusals of a CreateContainer request that decide nothing of the spec; those that do are in ocispec/plan.ts.
 * @throws InvalidArgument or FailedPrecondition that name the field.
 */
export function checkContainerRequest(
  config: ContainerConfig,
  sandbox: Sandbox,
  host: HostFacts,
  labels: 'labelled' | 'not labelled',
): void {
  const security = config.linux?.securityContext;
  const podSecurity = sandbox.record.config.linux?.securityContext;
  checkLabels(config.labels, 'create container');
  for (const field of ['network', 'ipc'] as const) {
    const mode = security?.namespaceOptions?.[field] ?? 0;
    if (!MODES.includes(mode))
      fail('InvalidArgument', `create container: namespace_options.${field} is ${mode}, which is no mode of the CRI`);
  }
  checkContainerUserNamespace(security?.namespaceOptions, sandbox.record.namespaces.user);
  if (labels === 'not labelled') refuseSelinuxOptions(security?.selinuxOptions ?? podSecurity?.selinuxOptions, host, 'create container');
  if (security?.privileged === true && podSecurity?.privileged !== true) {
    fail('InvalidArgument', `create container: it is privileged, but its pod sandbox ${sandbox.record.id} is not; the sandbox must be too`);
  }
  checkMemoryLimit(config.linux?.resources?.memoryLimitInBytes ?? 0n);
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
