import { toPlainJson } from '../base/json.ts';
import type { RuntimeHandlers } from '../ociruntime/runtime-handlers.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** What the kubelet may rely on: it sends a pod with `hostUsers: false` only to a handler that says user namespaces (KEP-127). */
function handlerFeatures(runtimes: RuntimeHandlers, name: string): { recursiveReadOnlyMounts: boolean; userNamespaces: boolean } {
  const { recursiveReadOnlyMounts } = runtimes.features(name);
  return { recursiveReadOnlyMounts, userNamespaces: runtimes.lacksForUserNamespaces(name) === undefined };
}

async function verboseInfo({ describe, networks, containers }: RuntimeServiceParts): Promise<Record<string, string>> {
  const checkpoint = await containers.describeCheckpoints();
  return { config: toPlainJson(describe()), cni: toPlainJson(networks.describe()), checkpoint: toPlainJson(checkpoint) };
}

/** RuntimeReady and NetworkReady, the latter in CNI's own words; what each runtime handler can do. */
export function status(parts: RuntimeServiceParts): RuntimeServiceHandlers['status'] {
  return async (request) => {
    const network = await parts.networks.status();
    const { runtimes } = parts;
    // With the node's network /sys is bound instead of mounted, which every runtime can (KEP-5607).
    const userNamespacesHostNetwork = runtimes.names.some((name) => runtimes.lacksForUserNamespaces(name) === undefined);
    return {
      status: {
        conditions: [
          { type: 'RuntimeReady', status: true, reason: '', message: '' },
          { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
        ],
      },
      // The entry without a name says what a pod without a RuntimeClass gets.
      runtimeHandlers: ['', ...runtimes.names].map((name) => ({ name, features: handlerFeatures(runtimes, name) })),
      features: { supplementalGroupsPolicy: true, mountOptions: true, userNamespacesHostNetwork },
      info: request.verbose ? await verboseInfo(parts) : {},
    };
  };
}
