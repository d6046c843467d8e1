import assert from 'node:assert/strict';
import { chmod, lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureDir } from 'fs-extra/esm';
import { ContainerState, NamespaceMode, PodSandboxState } from '../../../api/cri/enums.ts';
import type { Container, IDMapping, Init, Mount, PodSandbox, PodSandboxConfig } from '../../../api/cri/runtime.ts';
import { CriError } from '../../../src/cli/cri-client.ts';
import { containerConfig, outputOf, podConfig, shell, until } from '../pods.ts';
import type { Pod } from '../pods.ts';
import { IMAGES } from '../test-image.ts';
import { MAPPING, withUsers } from '../user-namespaces.ts';
import type { SoakNode } from './node.ts';
import type { ContainerPlan, PodPlan } from './plan.ts';

/** What every pod gets of the node. */
export interface SoakParts {
  readonly node: SoakNode;
  readonly cdiDevice: string;
  /** Where pods have the device, its number as stat says it, and the variable SOAK. */
  readonly device: { readonly path: string; readonly number: string; readonly variable: string };
  /** The chained plugin that fails. */
  readonly plugin: string;
  /** Counts the failures of CNI that a request was told. */
  readonly onNetworkFailure: () => void;
}

const limit = { timeoutMs: 90_000 };
/** A kubelet waits longer. */
const PAUSE_MS = 100;
/** One time in five, so often in a row: one pod in a hundred million. */
const TRIES = 12;
const FIRST_PORT = 20_000;
const GRACE_S = 30n;

/** The life of a pod as a kubelet leads it: made, its containers run one after the other, all looked at, removed. */
export async function livePod(parts: SoakParts, plan: PodPlan): Promise<void> {
  const life = new PodLife(parts, plan);
  await life.run();
}

class PodLife {
  readonly #parts: SoakParts;
  readonly #node: SoakNode;
  readonly #plan: PodPlan;
  readonly #uid: string;
  readonly #mapping: IDMapping;
  readonly #volume: string;

  constructor(parts: SoakParts, plan: PodPlan) {
    this.#parts = parts;
    this.#node = parts.node;
    this.#plan = plan;
    this.#uid = `soak-${plan.number}`;
    this.#mapping = { ...MAPPING, hostId: MAPPING.hostId + plan.number * MAPPING.length };
    this.#volume = join(parts.node.daemon.directory, 'volumes', this.#uid);
  }

  async run(): Promise<void> {
    await ensureDir(this.#volume);
    await chmod(this.#volume, 0o755);
    const pod = await this.#sandbox();
    for (const [attempt, container] of this.#plan.containers.entries()) await this.#runContainer(pod, attempt, container);
    await this.#remove(pod.id);
    assert.deepEqual(await this.#node.step(async () => this.#sandboxes()), [], `${this.#uid} is removed and still listed`);
  }

  #config(attempt: number): Init<PodSandboxConfig> {
    const pid = this.#plan.sharesPids ? NamespaceMode.POD : NamespaceMode.CONTAINER;
    const config = podConfig(this.#node.daemon, { name: this.#uid, uid: this.#uid, attempt, ...withUsers({ pid }, this.#mapping) });
    const port = { protocol: 0, containerPort: 80, hostPort: FIRST_PORT + this.#plan.number, hostIp: '' };
    return this.#plan.hasPort ? { ...config, portMappings: [port] } : config;
  }

  async #sandboxes(): Promise<readonly PodSandbox[]> {
    const { items } = await this.#node.daemon.runtime.listPodSandbox(
      { filter: { labelSelector: { 'io.kubernetes.pod.uid': this.#uid } } },
      limit,
    );
    return items.toSorted((one, other) => (other.metadata?.attempt ?? 0) - (one.metadata?.attempt ?? 0));
  }

  /** The newest sandbox where it is READY, or a new one with the next attempt, as SyncPod does. */
  async #sandbox(): Promise<Pod> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const pod = await this.#node.step(async () => {
        const [newest, ...older] = await this.#sandboxes();
        assert.deepEqual(older, [], `${this.#uid} has two sandboxes`);
        if (newest?.state === PodSandboxState.SANDBOX_READY) return { id: newest.id, config: this.#config(newest.metadata?.attempt ?? 0) };
        if (newest !== undefined) await this.#removeNow(newest.id);
        return this.#runSandbox(newest === undefined ? 0 : (newest.metadata?.attempt ?? 0) + 1);
      });
      if (pod !== undefined) {
        this.#node.sandboxIsThere(pod.id);
        return pod;
      }
      await sleep(PAUSE_MS);
    }
    return assert.fail(`${this.#uid} has no sandbox after ${TRIES} tries`);
  }

  /** Nothing where the network's plugins have failed. */
  async #runSandbox(attempt: number): Promise<Pod | undefined> {
    const config = this.#config(attempt);
    try {
      const { podSandboxId } = await this.#node.daemon.runtime.runPodSandbox({ config, runtimeHandler: '' }, limit);
      return { id: podSandboxId, config };
    } catch (error) {
      if (!this.#isOfNetwork(error)) throw error;
      this.#parts.onNetworkFailure();
      assert.deepEqual(await this.#sandboxes(), [], `${this.#uid}: RunPodSandbox has failed, and a sandbox is listed`);
      return undefined;
    }
  }

  #isOfNetwork(error: unknown): boolean {
    return error instanceof CriError && error.details.includes(this.#parts.plugin);
  }

  async #runContainer(pod: Pod, attempt: number, plan: ContainerPlan): Promise<void> {
    const id = await this.#node.step(async () => this.#startedContainer(pod, attempt, plan));
    await until(`${this.#uid} is ready`, async () => (await this.#written('ready')).includes(`${attempt}\n`), 60_000);
    if (plan.end !== 'exits') {
      await sleep(plan.lifeMs);
      const timeout = plan.end === 'is stopped' ? GRACE_S : 0n;
      await this.#node.step(async () => this.#node.daemon.runtime.stopContainer({ containerId: id, timeout }, limit));
    }
    await this.#untilExited(id);
    await this.#checkTraces(id, attempt);
    if (attempt % 2 === 0) {
      this.#node.containerEnds(id);
      await this.#node.step(async () => this.#node.daemon.runtime.removeContainer({ containerId: id }, limit));
    }
  }

  async #containers(podSandboxId: string): Promise<readonly Container[]> {
    return (await this.#node.daemon.runtime.listContainers({ filter: { podSandboxId } }, limit)).containers;
  }

  /** A container of this attempt that has come to run; one that was made before a kill is taken. */
  async #startedContainer(pod: Pod, attempt: number, plan: ContainerPlan): Promise<string> {
    const { runtime } = this.#node.daemon;
    const there = (await this.#containers(pod.id)).filter(({ metadata }) => metadata?.attempt === attempt);
    assert.ok(there.length < 2, `${this.#uid} has two containers of attempt ${attempt}`);
    const containerId = there[0]?.id ?? (await this.#createContainer(pod, attempt, plan));
    this.#node.containerIsThere(containerId, plan);
    if ((await this.#node.statusOf(containerId)).state !== ContainerState.CONTAINER_CREATED) return containerId;
    await runtime.startContainer({ containerId }, limit);
    this.#node.containerHasStarted(containerId);
    return containerId;
  }

  async #createContainer(pod: Pod, attempt: number, plan: ContainerPlan): Promise<string> {
    const mappings = { uidMappings: [this.#mapping], gidMappings: [this.#mapping] };
    const base = await containerConfig(pod, shell(this.#script(attempt, plan)), { attempt });
    const mounts: readonly Init<Mount>[] = [
      ...(base.mounts ?? []),
      { containerPath: '/volume', hostPath: this.#volume, ...mappings },
      { containerPath: '/image', readonly: true, image: { image: IMAGES.busybox }, ...mappings },
    ];
    const config = { ...base, mounts, cdiDevices: [{ name: this.#parts.cdiDevice }] };
    const { runtime } = this.#node.daemon;
    return (await runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, limit)).containerId;
  }

  /** What it says goes to its log; what it writes, to the volume. */
  #script(attempt: number, { end, code, lifeMs }: ContainerPlan): string {
    const { path } = this.#parts.device;
    return [
      `trap "exit ${code}" TERM`,
      `echo ${attempt} >> /volume/runs`,
      'echo map $(cat /proc/self/uid_map) and $(cat /proc/self/gid_map)',
      `echo device $(stat -c %t:%T ${path}) $SOAK; : < ${path} && echo opened`,
      'echo owners $(stat -c %u:%g / /image/bin/busybox /volume)',
      `echo mine > /volume/of-app-${attempt} && chown 1000:2000 /volume/of-app-${attempt}`,
      `echo ${attempt} >> /volume/ready`,
      end === 'exits' ? `sleep ${lifeMs / 1000}; exit ${code}` : 'while :; do sleep 0.05; done',
    ].join('\n');
  }

  async #untilExited(id: string): Promise<void> {
    await until(
      `container ${id} of ${this.#uid} has ended`,
      async () => (await this.#node.step(async () => this.#node.statusOf(id))).state === ContainerState.CONTAINER_EXITED,
      60_000,
    );
  }

  async #written(name: string): Promise<string> {
    return readFile(join(this.#volume, name), 'utf8').catch(() => '');
  }

  /** What the container has seen, and what it has left on the node: it ran once, as its users, with its device. */
  async #checkTraces(id: string, attempt: number): Promise<void> {
    const { device } = this.#parts;
    const map = `0 ${this.#mapping.hostId} ${this.#mapping.length}`;
    const output = await this.#node.step(async () => outputOf(this.#node.daemon, id));
    assert.deepEqual(output, [`map ${map} and ${map}`, `device ${device.number} ${device.variable}`, 'opened', 'owners 0:0 0:0 0:0'], this.#uid); // prettier-ignore
    const runs = Array.from({ length: attempt + 1 }, (_, each) => `${each}\n`).join('');
    assert.equal(await this.#written('runs'), runs, `${this.#uid}: the attempts that have run`);
    for (const [name, owner] of [
      ['runs', '0:0'],
      [`of-app-${attempt}`, '1000:2000'],
    ] as const) {
      const { uid, gid } = await lstat(join(this.#volume, name));
      assert.equal(`${uid}:${gid}`, owner, `${this.#uid}: ${name}`);
    }
  }

  async #remove(podSandboxId: string): Promise<void> {
    this.#node.sandboxEnds(podSandboxId);
    for (const { id } of await this.#node.step(async () => this.#containers(podSandboxId))) this.#node.containerEnds(id);
    await this.#node.step(async () => this.#removeNow(podSandboxId));
  }

  /** A stop that the network's plugins have failed is asked for again. */
  async #removeNow(podSandboxId: string): Promise<void> {
    const { runtime } = this.#node.daemon;
    for (let tries = 0; ; tries += 1) {
      try {
        await runtime.stopPodSandbox({ podSandboxId }, limit);
        break;
      } catch (error) {
        if (!this.#isOfNetwork(error) || tries === TRIES) throw error;
        await sleep(PAUSE_MS);
      }
    }
    await runtime.removePodSandbox({ podSandboxId }, limit);
  }
}
