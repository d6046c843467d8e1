import { hostname } from 'node:os';
import { ApiException, KubeConfig, KubernetesObjectApi, NodeV1Api } from '@kubernetes/client-node';
import type { V1Node, V1RuntimeClass } from '@kubernetes/client-node';
import { waitFor } from '../base/deadline.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import type { Cluster, ClusterNode, RuntimeClass } from './cluster.ts';

/** How long the API server may take for each answer, milliseconds. */
const ANSWER_MS = 10_000;

/**
 * Asks a cluster for its RuntimeClasses and for this node.
 * @param file a kubeconfig
 * @param nodeName undefined: this machine's host name, which may be no node
 * @throws {DaemonError} InvalidArgument for the file; Unavailable, PermissionDenied or Internal for the API server's answer
 */
export async function readCluster(file: string, nodeName: string | undefined): Promise<Cluster> {
  const config = loadKubeConfig(file);
  const server =
    config.getCurrentCluster()?.server ?? fail('InvalidArgument', `${file}: its current context names no cluster, must name one`);
  const asked = `list RuntimeClasses of ${server}, as ${file} says`;
  const { items } = await answer(asked, config.makeApiClient(NodeV1Api).listRuntimeClass());
  const name = nodeName ?? hostname().toLowerCase();
  try {
    const node = await answer(
      `get node ${name} of ${server}`,
      KubernetesObjectApi.makeApiClient(config).read<V1Node>({ apiVersion: 'v1', kind: 'Node', metadata: { name } }),
    );
    return { server, classes: items.map(runtimeClass), node: clusterNode(node, name) };
  } catch (error) {
    if (nodeName !== undefined) throw error;
    return { server, classes: items.map(runtimeClass), node: undefined, nodeFault: `${messageOf(error)}; --node names another` };
  }
}

function loadKubeConfig(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (error) {
    return fail('InvalidArgument', `${file}: ${messageOf(error)}, must be a kubeconfig`);
  }
  return config;
}

async function answer<T>(what: string, asking: Promise<T>): Promise<T> {
  try {
    return await waitFor(asking, AbortSignal.timeout(ANSWER_MS));
  } catch (error) {
    throw translated(what, error);
  }
}

function translated(what: string, error: unknown): DaemonError {
  if (!(error instanceof ApiException)) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    return new DaemonError('Unavailable', `${what}: ${isLate ? `no answer within ${ANSWER_MS / 1000} s` : deepest(error)}`, {
      cause: error,
    });
  }
  const words = wordsOf(error.body) ?? `HTTP status ${error.code}`;
  if (error.code === 401)
    return new DaemonError('PermissionDenied', `${what}: the API server does not know these credentials`, { cause: error });
  if (error.code === 403) return new DaemonError('PermissionDenied', `${what}: forbidden: ${words}`, { cause: error });
  return new DaemonError(error.code === 404 ? 'NotFound' : 'Internal', `${what}: ${words}`, { cause: error });
}

/** The message of a Status of Kubernetes. */
function wordsOf(body: unknown): string | undefined {
  try {
    const { message } = (typeof body === 'string' ? JSON.parse(body) : body) as { readonly message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** What a chain of errors began with: "fetch failed" says nothing. */
function deepest(error: unknown): string {
  let last = error;
  while (last instanceof Error && last.cause !== undefined) last = last.cause;
  return messageOf(last);
}

function runtimeClass({ metadata, handler, overhead, scheduling }: V1RuntimeClass): RuntimeClass {
  return {
    name: metadata?.name ?? '',
    handler,
    overhead: overhead?.podFixed ?? {},
    nodeSelector: scheduling?.nodeSelector ?? {},
    tolerations: scheduling?.tolerations ?? [],
  };
}

function clusterNode({ metadata, spec }: V1Node, name: string): ClusterNode {
  return {
    name: metadata?.name ?? name,
    labels: metadata?.labels ?? {},
    taints: (spec?.taints ?? []).map(({ key, value, effect }) => ({ key, effect, ...(value === undefined ? {} : { value }) })),
    isUnschedulable: spec?.unschedulable ?? false,
  };
}
