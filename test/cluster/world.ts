import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppsV1Api, BatchV1Api, CoreV1Api, Exec } from '@kubernetes/client-node';
import type { V1Container, V1ContainerStatus, V1NodeSystemInfo, V1Pod, V1PodSpec, V1Status } from '@kubernetes/client-node';
import { Output } from '../support/streaming/kubernetes-client.ts';
import type { Cluster } from './cluster.ts';
import { CLUSTER_IMAGES } from './images.ts';
import { NODE_NAME } from './node.ts';

/** How long a step of the cluster may take, milliseconds: two processors may have other things to do. */
const STEP_TIMEOUT_MS = 180_000;
const POLL_MS = 300;

export interface Case {
  readonly name: string;
  readonly run: (world: World) => Promise<void>;
  /** It does something to the whole node: no other case runs beside it. */
  readonly isAlone?: true;
}

/** Scripts of containers: one that ends when it is asked to, and a web server on port 8080. */
export const SLEEP = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
export const HTTPD = 'mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';

/** A container that runs a shell script in busybox. */
export function container(name: string, script: string, rest: Partial<V1Container> = {}): V1Container {
  return { name, image: CLUSTER_IMAGES.busybox, command: ['sh', '-c', script], ...rest };
}

/** What a command in a container has said, and how it ended. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: V1Status;
}

/** The cluster as a case sees it. */
export class World {
  readonly cluster: Cluster;
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  readonly batch: BatchV1Api;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.core = cluster.config.makeApiClient(CoreV1Api);
    this.apps = cluster.config.makeApiClient(AppsV1Api);
    this.batch = cluster.config.makeApiClient(BatchV1Api);
  }

  /** A namespace for the work; it is gone with all that is in it when this resolves. */
  async withNamespace(name: string, work: (space: Space) => Promise<void>): Promise<void> {
    await this.core.createNamespace({ body: { metadata: { name } } });
    try {
      await until(`the service account of namespace ${name} is there`, () =>
        this.core.readNamespacedServiceAccount({ namespace: name, name: 'default' }).catch(() => undefined),
      );
      await work(new Space(this, name));
    } finally {
      await this.core.deleteNamespace({ name });
    }
    await until(`namespace ${name} is gone`, async () => {
      const { items } = await this.core.listNamespace();
      return items.some(({ metadata }) => metadata?.name === name) ? undefined : true;
    });
  }

  async untilUp(): Promise<void> {
    await this.untilNodeReady();
    await until('DNS is ready', async () => {
      const { status } = await this.apps.readNamespacedDeployment({ namespace: 'kube-system', name: 'coredns' });
      return status?.readyReplicas === 1 ? true : undefined;
    });
  }

  async nodeInfo(): Promise<V1NodeSystemInfo> {
    const { status } = await this.core.readNode({ name: NODE_NAME });
    return status?.nodeInfo ?? assert.fail(`node ${NODE_NAME} says nothing of itself`);
  }

  async untilNodeReady(): Promise<void> {
    await until(`node ${NODE_NAME} is ready`, async () => {
      const { items } = await this.core.listNode();
      const conditions = items.find(({ metadata }) => metadata?.name === NODE_NAME)?.status?.conditions ?? [];
      return conditions.find(({ type }) => type === 'Ready')?.status === 'True' ? true : undefined;
    });
  }
}

/** A namespace of the cluster. */
export class Space {
  readonly world: World;
  readonly name: string;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  async pod(name: string, containers: V1Container[], spec: Partial<V1PodSpec> = {}): Promise<V1Pod> {
    const whole = { terminationGracePeriodSeconds: 2, containers, ...spec };
    const body = { metadata: { name, labels: { app: name } }, spec: whole };
    return this.world.core.createNamespacedPod({ namespace: this.name, body });
  }

  async read(name: string): Promise<V1Pod> {
    return this.world.core.readNamespacedPod({ namespace: this.name, name });
  }

  async pods(app: string): Promise<V1Pod[]> {
    return (await this.world.core.listNamespacedPod({ namespace: this.name, labelSelector: `app=${app}` })).items;
  }

  /** Waits until the pod is as asked, and gives it. */
  async untilPod(name: string, what: string, is: (pod: V1Pod) => boolean): Promise<V1Pod> {
    let last: V1Pod | undefined;
    try {
      return await until(`pod ${this.name}/${name} is ${what}`, async () => {
        last = await this.read(name);
        return is(last) ? last : undefined;
      });
    } catch (error) {
      assert.fail(`${error instanceof Error ? error.message : String(error)}: ${JSON.stringify(last?.status)}\n${await this.events(name)}`);
    }
  }

  async untilReady(name: string): Promise<V1Pod> {
    return this.untilPod(name, 'ready', isReady);
  }

  async untilEnded(name: string): Promise<V1Pod> {
    return this.untilPod(name, 'ended', ({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
  }

  async untilGone(name: string): Promise<void> {
    await until(`pod ${this.name}/${name} is gone`, async () => {
      const { items } = await this.world.core.listNamespacedPod({ namespace: this.name });
      return items.some(({ metadata }) => metadata?.name === name) ? undefined : true;
    });
  }

  async delete(name: string, gracePeriodSeconds?: number): Promise<void> {
    const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    await this.world.core.deleteNamespacedPod({ namespace: this.name, name, ...grace });
  }

  /** What happened to an object, one event a line. */
  async events(name: string): Promise<string> {
    const { items } = await this.world.core.listNamespacedEvent({ namespace: this.name, fieldSelector: `involvedObject.name=${name}` });
    return items.map(({ reason, message, count }) => `${reason ?? ''} x${count ?? 1}: ${message ?? ''}`).join('\n');
  }

  async log(name: string, containerName?: string): Promise<string> {
    const which = containerName === undefined ? {} : { container: containerName };
    return this.world.core.readNamespacedPodLog({ namespace: this.name, name, ...which });
  }

  /** Runs a command by the API server, as `kubectl exec` does, to its end. */
  async exec(name: string, containerName: string, ...command: readonly string[]): Promise<Ran> {
    const [stdout, stderr, status] = [new Output(), new Output(), Promise.withResolvers<V1Status>()];
    const exec = new Exec(this.world.cluster.config);
    const socket = await exec.exec(this.name, name, containerName, [...command], stdout, stderr, null, false, status.resolve);
    socket.addEventListener('close', () => {
      status.reject(new Error(`exec in ${this.name}/${name}: the connection closed without a status`));
    });
    const ended = await status.promise;
    return { stdout: stdout.text, stderr: stderr.text, status: ended };
  }

  /** What a command that must succeed prints. */
  async run(name: string, containerName: string, ...command: readonly string[]): Promise<string> {
    const { stdout, stderr, status } = await this.exec(name, containerName, ...command);
    assert.equal(status.status, 'Success', `${command.join(' ')}: ${status.message ?? ''}: ${stderr}`);
    return stdout;
  }
}

export function isReady({ status }: V1Pod): boolean {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

/** The status of the one container, or of the named one; undefined before the kubelet has looked at the pod. */
export function findStatus({ status }: V1Pod, name?: string): V1ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {};
  const all = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses];
  return name === undefined ? all[0] : all.find((one) => one.name === name);
}

export function statusOf(pod: V1Pod, name?: string): V1ContainerStatus {
  const { metadata, status } = pod;
  return (
    findStatus(pod, name) ?? assert.fail(`pod ${metadata?.name ?? ''}: no status of container ${name ?? ''}: ${JSON.stringify(status)}`)
  );
}

/** Asks again and again until there is an answer. @throws naming what did not come */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = STEP_TIMEOUT_MS): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
