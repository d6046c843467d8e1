import { toPlainJson } from '../base/json.ts';
import type { HandlerFeatures } from '../ociruntime/answers.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/**
 * What the kubelet may rely on. It sends a pod with `hostUsers: false` to a handler that says user namespaces, and such a pod
 * would fail here for ever: RunPodSandbox refuses it, whatever the runtime could do (KEP-127).
 */
function handlerFeatures(runtime: HandlerFeatures): { recursiveReadOnlyMounts: boolean; userNamespaces: boolean } {
  return { recursiveReadOnlyMounts: runtime.recursiveReadOnlyMounts, userNamespaces: false };
}

/** RuntimeReady and NetworkReady, the latter in CNI's own words; what each runtime handler can do. */
export function status(parts: RuntimeServiceParts): RuntimeServiceHandlers['status'] {
  return async (request) => {
    const network = await parts.networks.status();
    const { runtimes } = parts;
    return {
      status: {
        conditions: [
          { type: 'RuntimeReady', status: true, reason: '', message: '' },
          { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
        ],
      },
      // The entry without a name says what a pod without a RuntimeClass gets.
      runtimeHandlers: ['', ...runtimes.names].map((name) => ({ name, features: handlerFeatures(runtimes.features(name)) })),
      features: { supplementalGroupsPolicy: true, mountOptions: true },
      info: request.verbose ? { config: toPlainJson(parts.describe()), cni: toPlainJson(parts.networks.describe()) } : {},
    };
  };
}
