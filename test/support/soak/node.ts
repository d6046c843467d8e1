import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerState, PodSandboxState } from '../../../api/cri/enums.ts';
import type { Container, ContainerStatus } from '../../../api/cri/runtime.ts';
import type { TestDaemon } from '../daemon.ts';
import { containerStatus } from '../pods.ts';
import { exitCodeOf } from './plan.ts';
import type { ContainerPlan, SoakPlan } from './plan.ts';

/** What was told of a container so far. */
interface ToldContainer {
  readonly plan: ContainerPlan;
  hasStarted: boolean;
  /** How often its exit code was told. */
  exits: number;
}

const WORDS: Readonly<Record<number, string>> = { 0: 'CREATED', 1: 'RUNNING', 2: 'EXITED', 3: 'UNKNOWN' };

/** A daemon that is killed and started again while others work with it, and what it has told: that must stay true. */
export class SoakNode {
  readonly daemon: TestDaemon;
  readonly #kills: SoakPlan['kills'];
  readonly #sandboxes = new Set<string>();
  readonly #containers = new Map<string, ToldContainer>();
  /** Containers that need not be there any more. */
  readonly #isGone = new Set<string>();
  #steps = 0;
  #interrupted = 0;
  #killAtStep = Infinity;
  /** Kills that have begun, and that are over. */
  #begun = 0;
  #killed = 0;
  #lastKill: Promise<void> = Promise.resolve();
  /** Rejects where the daemon does not come back, or has lost something: then every step fails with that. */
  #up: Promise<void> = Promise.resolve();
  #isDying = false;
  #life = 0;

  constructor(daemon: TestDaemon, { kills }: SoakPlan) {
    this.daemon = daemon;
    this.#kills = kills;
  }

  get figures(): { readonly steps: number; readonly kills: number; readonly interrupted: number } {
    return { steps: this.#steps, kills: this.#killed, interrupted: this.#interrupted };
  }

  /** How often an exit code was told, of all containers. */
  get exitsTold(): number {
    return [...this.#containers.values()].reduce((sum, { exits }) => sum + exits, 0);
  }

  /** The next ten pods begin: the kill of the last ten comes now at the latest. */
  beginTen(): void {
    this.#killBy(Infinity);
    this.#killAtStep = this.#steps + (this.#kills[this.#begun]?.steps ?? Infinity);
  }

  /** Does a step that looks before it acts; where the daemon is killed meanwhile, does it again with the next one. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#up;
      const life = this.#life;
      this.#steps += 1;
      this.#killBy(this.#steps);
      try {
        return await work();
      } catch (error) {
        if (life === this.#life && !this.#isDying) throw error;
        this.#interrupted += 1;
      }
    }
  }

  /** Resolves when all kills have been. */
  async rest(): Promise<void> {
    this.#killBy(Infinity);
    await this.#lastKill;
  }

  #killBy(step: number): void {
    const kill = this.#kills[this.#begun];
    if (kill === undefined || this.#killAtStep === Infinity || step <= this.#killAtStep) return;
    this.#killAtStep = Infinity;
    this.#begun += 1;
    this.#lastKill = this.#lastKill.then(async () => {
      await sleep(kill.delayMs);
      this.#up = this.#restart(kill.downMs);
      await this.#up;
    });
    // Whoever waits for it is told.
    this.#lastKill.catch(() => undefined);
  }

  async #restart(downMs: number): Promise<void> {
    this.#isDying = true;
    try {
      await this.daemon.kill9();
      await sleep(downMs);
      await this.daemon.start();
      await this.#nothingIsLost();
      this.#killed += 1;
    } finally {
      this.#isDying = false;
      this.#life += 1;
    }
  }

  /** RunPodSandbox or a list has told of it. */
  sandboxIsThere(id: string): void {
    this.#sandboxes.add(id);
  }

  /** Its stop is asked for: it need not be READY any more. */
  sandboxEnds(id: string): void {
    this.#sandboxes.delete(id);
  }

  containerIsThere(id: string, plan: ContainerPlan): void {
    if (!this.#containers.has(id)) this.#containers.set(id, { plan, hasStarted: false, exits: 0 });
  }

  containerHasStarted(id: string): void {
    this.#containers.get(id)!.hasStarted = true;
  }

  /** Its removal is asked for. */
  containerEnds(id: string): void {
    this.#isGone.add(id);
  }

  /** ContainerStatus, held to what is known of the container. */
  async statusOf(id: string): Promise<ContainerStatus> {
    const status = await containerStatus(this.daemon, id);
    const told = this.#containers.get(id);
    if (told !== undefined) checkStatus(status, told);
    return status;
  }

  async #nothingIsLost(): Promise<void> {
    const { items } = await this.daemon.runtime.listPodSandbox({ filter: { state: { state: PodSandboxState.SANDBOX_READY } } });
    const ready = new Set(items.map(({ id }) => id));
    const lostPods = [...this.#sandboxes].filter((id) => !ready.has(id));
    assert.deepEqual(lostPods, [], 'pods that were READY and are not after the kill');
    const { containers } = await this.daemon.runtime.listContainers({});
    const listed = new Map<string, Container>(containers.map((each) => [each.id, each]));
    const there = [...this.#containers.keys()].filter((id) => !this.#isGone.has(id));
    assert.deepEqual(there.filter((id) => !listed.has(id)), [], 'containers that were there and are not after the kill'); // prettier-ignore
    for (const id of there) await this.statusOf(id);
  }
}

function checkStatus({ id, state, exitCode, startedAt, finishedAt }: ContainerStatus, told: ToldContainer): void {
  const { plan } = told;
  const what = `container ${id}, which ${plan.end}: state ${WORDS[state] ?? state}, exit code ${exitCode}`;
  const wasExited = told.exits > 0;
  if (wasExited) assert.equal(state, ContainerState.CONTAINER_EXITED, what);
  if (told.hasStarted) assert.ok(state === ContainerState.CONTAINER_RUNNING || state === ContainerState.CONTAINER_EXITED, what);
  if (state === ContainerState.CONTAINER_RUNNING) told.hasStarted = true;
  if (state !== ContainerState.CONTAINER_EXITED) return;
  told.exits += 1;
  assert.equal(exitCode, exitCodeOf(plan), what);
  assert.ok(finishedAt >= startedAt && startedAt > 0n, `${what}: started at ${startedAt}, finished at ${finishedAt}`);
}
