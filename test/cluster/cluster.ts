import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, KubernetesObjectApi } from '@kubernetes/client-node';
import type { KubernetesObject } from '@kubernetes/client-node';
import { remove } from 'fs-extra/esm';
import { UndoStack } from '../../src/base/undo.ts';
import { makeCgroup, nodeAddress } from '../support/kubelet-places.ts';
import { TestRegistry } from '../support/registry.ts';
import { dns, runtimeClasses } from './addons.ts';
import { API_PORT, API_SERVICE, controlPlane } from './control-plane.ts';
import { Identities } from './identities.ts';
import { CLUSTER_IMAGES, ImageMaker } from './images.ts';
import { kubelet, kubeProxy, NODE_NAME } from './node.ts';
import { coverPlaces, makeNodeNetwork } from './places.ts';
import type { Component } from './process.ts';
import { clusterPrograms } from './programs.ts';
import { startRuntime } from './runtime.ts';
import type { Peer, Runtime } from './runtime.ts';

const PROGRAMS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'] as const;

export interface ClusterOptions {
  /** A runtime other than ours. */
  readonly peer: Peer | undefined;
  /** Images that its registry has besides the cluster's own. */
  readonly images: readonly string[];
  readonly tell: (line: string) => void;
}

/** A control plane and one node, all of them processes in this process's namespaces (places.ts); their files are in one directory. */
export class Cluster {
  readonly directory: string;
  readonly runtime: Runtime;
  readonly identities: Identities;
  readonly kubelet: Component;
  readonly config = new KubeConfig();
  readonly #components: readonly Component[];
  readonly #undo: UndoStack;

  private constructor(
    parts: Pick<Cluster, 'directory' | 'runtime' | 'identities' | 'kubelet'>,
    components: readonly Component[],
    undo: UndoStack,
  ) {
    this.directory = parts.directory;
    this.runtime = parts.runtime;
    this.identities = parts.identities;
    this.kubelet = parts.kubelet;
    this.#components = components;
    this.#undo = undo;
    this.config.loadFromFile(parts.identities.kubeconfig('admin'));
  }

  /** Builds what is to be built, and starts all of it. The node may not be ready yet. @throws with the log of what does not start. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const undo = new UndoStack();
    try {
      return await begin(options, undo, (parts, components) => new Cluster(parts, components, undo));
    } catch (error) {
      await undo.run();
      throw error;
    }
  }

  async create(objects: readonly KubernetesObject[]): Promise<void> {
    const api = KubernetesObjectApi.makeApiClient(this.config);
    for (const object of objects) await api.create(object);
  }

  /** After what took it away with the processes in it. */
  async restoreCgroup(): Promise<void> {
    await makeCgroup(this.runtime.cgroupRoot);
  }

  /** Hands out the logs of all components. @param copy from a path to a name */
  async copyLogs(copy: (from: string, to: string) => Promise<void>): Promise<void> {
    await copy(join(this.directory, 'components'), 'components');
    if (this.runtime.daemon !== undefined) await copy(this.runtime.daemon.logFile, 'daemon.log');
  }

  /** The ends of all logs, for a failure that is not one case's. */
  async logTails(): Promise<string> {
    const tails = await Promise.all(this.#components.map((component) => component.logTail(15)));
    return [...tails, (await this.runtime.daemon?.logTail(60)) ?? ''].join('\n');
  }

  /** Ends all of it; the kubelet before the runtime, so that nobody starts again what the runtime's end takes away. */
  async destroy(): Promise<void> {
    const failures = await this.#undo.run();
    for (const { what, error } of failures) throw new Error(`cluster: ${what}`, { cause: error });
  }
}

type Parts = Pick<Cluster, 'directory' | 'runtime' | 'identities' | 'kubelet'>;

async function begin(
  { peer, images, tell }: ClusterOptions,
  undo: UndoStack,
  make: (parts: Parts, components: readonly Component[]) => Cluster,
): Promise<Cluster> {
  const programs = await clusterPrograms(PROGRAMS, tell);
  const directory = await mkdtemp(join(tmpdir(), 'podwright-cluster-'));
  undo.add('remove its directory', () => remove(directory));
  // Root of a pod with a user namespace goes through it to its volumes.
  await chmod(directory, 0o711);
  await makeNodeNetwork();
  const uncover = await coverPlaces(join(directory, 'places'));
  undo.add('unmount what covered places of the machine', uncover);
  const registry = await TestRegistry.start();
  undo.add('stop the registry', () => registry.stop());
  const maker = new ImageMaker(tell);
  await maker.push(registry, [...Object.values(CLUSTER_IMAGES), ...maker.ofThese(images)]);
  const runtime = await startRuntime(registry, peer, directory);
  undo.add('end the runtime', () => runtime.destroy());
  await makeCgroup(runtime.cgroupRoot);
  const address = nodeAddress();
  const identities = await Identities.make({
    directory: join(directory, 'identities'),
    node: { name: NODE_NAME, address },
    serviceAddress: API_SERVICE,
    server: `https://${address}:${API_PORT}`,
  });
  const own = join(directory, 'components');
  await mkdir(own);
  const node = { programs, identities, directory: own, address, endpoint: runtime.endpoint, cgroupRoot: runtime.cgroupRoot };
  const nodeKubelet = await kubelet(node);
  const components = [...controlPlane({ programs, identities, directory: own, nodeAddress: address }), nodeKubelet, await kubeProxy(node)];
  for (const component of components) {
    undo.add(`stop ${component.name}`, () => component.stop('SIGKILL'));
    await component.start();
    tell(`${component.name} is up`);
  }
  const cluster = make({ directory, runtime, identities, kubelet: nodeKubelet }, components);
  await cluster.create([...runtimeClasses(runtime.handlers), ...dns()]);
  return cluster;
}
