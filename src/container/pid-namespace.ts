import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import { holdNamespace } from '../linux/held-namespace.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import type { CreateRequest } from './create-request.ts';

/**
 * Does the work with the PID namespace that a container is to be in: the pod's, a target container's, the node's (`host`), or a
 * `new` one. One that it joins is held open meanwhile, so that it is that of the process meant and not of a later one.
 * @throws InvalidArgument for a mode that the pod does not allow, FailedPrecondition where the process to join has ended.
 */
export async function withPidNamespace<T>(request: CreateRequest, work: (namespace: string) => Promise<T>): Promise<T> {
  const chosen = pidNamespace(request);
  if (typeof chosen === 'string') return work(chosen);
  const held = await holdNamespace(chosen, 'pid');
  try {
    return await work(held.path);
  } finally {
    await held.close();
  }
}

/** `host`, `new`, or the process whose namespace is joined. */
function pidNamespace(request: CreateRequest): string | ProcessIdentity {
  const { record, sandbox } = request;
  const options = record.config.linux?.securityContext?.namespaceOptions;
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
      return request.targetProcess ?? fail('InvalidArgument', 'create container: PID mode TARGET needs a target container');
    case NamespaceMode.CONTAINER:
      return 'new';
    default:
      return fail(
        'InvalidArgument',
        `create container: PID namespace mode is ${mode}, must be POD (0), CONTAINER (1), NODE (2) or TARGET (3)`,
      );
  }
}
