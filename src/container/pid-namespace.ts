import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import { holdNamespace } from '../linux/held-namespace.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { requireState, type Container } from './container.ts';

/** The PID namespace of a container: the node's, one of its own, or that of the process named. */
export type PidNamespace = 'host' | 'new' | ProcessIdentity;

/**
 * The PID namespace that a request asks for; without a word, that of its pod.
 * @throws InvalidArgument for a mode that the pod does not allow, NotFound for a target that is not there, FailedPrecondition for
 * one that does not run.
 */
export function planPidNamespace(
  config: Pick<ContainerConfig, 'linux'>,
  sandbox: Sandbox,
  containers: { get: (id: string) => Container },
): PidNamespace {
  const options = config.linux?.securityContext?.namespaceOptions;
  const mode = options?.pid ?? sandbox.record.config.linux?.securityContext?.namespaceOptions?.pid ?? NamespaceMode.POD;
  switch (mode) {
    case NamespaceMode.NODE:
      if (sandbox.record.namespaces.pid !== 'node') {
        fail(
          'InvalidArgument',
          `create container: it asks for the node's PID namespace, but pod sandbox ${sandbox.record.id} does not use that`,
        );
      }
      return 'host';
    case NamespaceMode.POD:
      return (
        sandbox.state.infra?.process ??
        fail(
          'InvalidArgument',
          `create container: it asks for the pod's PID namespace, but pod sandbox ${sandbox.record.id} was made without one`,
        )
      );
    case NamespaceMode.TARGET:
      return targetProcess(containers.get(options?.targetId ?? ''), sandbox);
    case NamespaceMode.CONTAINER:
      return 'new';
    default:
      return fail(
        'InvalidArgument',
        `create container: namespace_options.pid is ${mode}, must be POD (0), CONTAINER (1), NODE (2) or TARGET (3)`,
      );
  }
}

/** The process of the container a debug container looks at; it must run in the same pod. */
function targetProcess(target: Container, sandbox: Sandbox): ProcessIdentity {
  if (target.record.sandboxId !== sandbox.record.id) {
    fail(
      'InvalidArgument',
      `create container: target ${target.record.id} is in pod sandbox ${target.record.sandboxId}, must be in ${sandbox.record.id}`,
    );
  }
  requireState(target, 'exec');
  return target.state.process;
}

/**
 * Does the work with the PID namespace that a container is to be in, as the spec names it. One that it joins is held open
 * meanwhile, so that it is that of the process meant and not of a later one.
 * @throws FailedPrecondition where the process to join has ended.
 */
export async function withPidNamespace<T>(planned: PidNamespace, work: (namespace: string) => Promise<T>): Promise<T> {
  if (typeof planned === 'string') return work(planned);
  const held = await holdNamespace(planned, 'pid');
  try {
    return await work(held.path);
  } finally {
    await held.close();
  }
}
