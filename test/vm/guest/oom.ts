/** Which containers are told as OOMKilled, and which are not: many at once, under each runtime, with the daemon there or not. */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathExists } from 'fs-extra/esm';
import { ContainerState, NamespaceMode } from '../../../api/cri/enums.ts';
import type { ContainerStatus } from '../../../api/cri/runtime.ts';
import { containerConfig, containerStatus, podConfig, removePod, shell, until } from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';
import { output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { step, tell } from './steps.ts';

const { O_NONBLOCK, O_WRONLY } = constants;
const MIB = 1024n * 1024n;
/** The runtime starts within it. */
const LIMIT_BYTES = 16n * MIB;
const POD_LIMIT_BYTES = 32n * MIB;
/** Containers that are made at once: the machine has two emulated processors. */
const AT_ONCE = 4;
/** What the kernel and systemd have to do after the last end, with the daemon away. */
const AWAY_MS = 3_000;
/** From the end of a process to its record. */
const RECORD_MS = 20_000;
/** Each script waits here for its turn. */
const HOLD = 'mkfifo /hold; read go < /hold;';

interface Case {
  readonly name: string;
  readonly script: string;
  readonly limitBytes?: bigint;
  /** memory.oom.group, which the kubelet sets on cgroup v2 unless it is told not to. */
  readonly isWhole?: boolean;
  /** Whether it is killed by us, and not by the kernel. */
  readonly isKilled?: boolean;
  readonly exitCode: number;
  readonly reason: string;
}

/** Over every limit before its one buffer is full. */
const EAT = 'dd if=/dev/zero of=/dev/null bs=64M';
/** What a pod's containers do; the pod has no limit of its own. */
const OWN_LIMITS: readonly Case[] = [
  { name: 'first', script: `${HOLD} exec ${EAT}`, limitBytes: LIMIT_BYTES, exitCode: 137, reason: 'OOMKilled' },
  { name: 'child', script: `${HOLD} ${EAT}; exit 3`, limitBytes: LIMIT_BYTES, exitCode: 3, reason: 'OOMKilled' },
  { name: 'child-then-good', script: `${HOLD} ${EAT}; exit 0`, limitBytes: LIMIT_BYTES, exitCode: 0, reason: 'OOMKilled' },
  { name: 'child-goes-on', script: `${HOLD} ${EAT}; read go < /hold; exit 4`, limitBytes: LIMIT_BYTES, exitCode: 4, reason: 'OOMKilled' },
  { name: 'whole', script: `${HOLD} ${EAT}; exit 5`, limitBytes: LIMIT_BYTES, isWhole: true, exitCode: 137, reason: 'OOMKilled' },
  { name: 'sigkill', script: `${HOLD} exit 6`, limitBytes: LIMIT_BYTES, isKilled: true, exitCode: 137, reason: 'Error' },
];
/** And here the pod has the limit. */
const POD_LIMIT: readonly Case[] = [
  { name: 'over-the-pods-limit', script: `${HOLD} exec ${EAT}`, exitCode: 137, reason: 'OOMKilled' },
  { name: 'sigkill-beside', script: `${HOLD} exit 7`, isKilled: true, exitCode: 137, reason: 'Error' },
];
export const KILLS_PER_SET = [...OWN_LIMITS, ...POD_LIMIT].filter(({ reason }) => reason === 'OOMKilled').length;

interface Running {
  readonly id: string;
  readonly pid: number;
  readonly wanted: Case;
}

interface Plan {
  readonly runtime: string;
  readonly isDown: boolean;
  /** How many of both pods there are at once. */
  readonly sets: number;
}

/** With systemd a container's cgroup is gone before anybody can look, so that is where most are tried. */
const PLANS: Readonly<Record<GuestNode['driver'], readonly Plan[]>> = {
  systemd: [
    { runtime: 'runc', isDown: true, sets: 3 },
    { runtime: 'crun', isDown: true, sets: 3 },
    { runtime: 'runc', isDown: false, sets: 3 },
    { runtime: 'crun', isDown: false, sets: 3 },
  ],
  cgroupfs: [
    { runtime: 'runc', isDown: false, sets: 1 },
    { runtime: 'runc', isDown: true, sets: 1 },
    { runtime: 'crun', isDown: false, sets: 2 },
    { runtime: 'crun', isDown: true, sets: 1 },
  ],
};

export async function oomCases(node: GuestNode, image: string): Promise<void> {
  const before = await node.inventory();
  for (const plan of PLANS[node.driver]) {
    const kills = plan.sets * KILLS_PER_SET;
    const name = `${node.driver}, ${plan.runtime}: ${kills} OOM kills ${plan.isDown ? 'while the daemon is down ' : ''}are told as such, and no SIGKILL`;
    await step(name, async () => withSets(node, image, plan, async (all) => checkKills(node, plan, all)));
  }
  await step(`${node.driver}: nothing is left of those pods`, async () => node.assertNothingNew(before));
}

async function checkKills(node: GuestNode, plan: Plan, all: readonly Running[]): Promise<void> {
  const act = async (): Promise<void> => {
    await Promise.all(all.map(letGo));
    await Promise.all(all.filter(({ wanted }) => wanted.name !== 'child-goes-on').map(untilEnded));
  };
  if (plan.isDown) {
    await node.whileDown(async () => {
      await act();
      await sleep(AWAY_MS);
    });
  } else await act();
  const goingOn = all.filter(({ wanted }) => wanted.name === 'child-goes-on');
  for (const { id } of goingOn) assert.equal((await containerStatus(node, id)).state, ContainerState.CONTAINER_RUNNING);
  await Promise.all(goingOn.map(letGo));
  const wrong: string[] = [];
  let seenByMonitors = 0;
  for (const { id, wanted } of all) {
    const { exitCode, reason, message } = await ended(node, id);
    const seen = await pathExists(`${node.root}/containers/${id}/persist/oom`);
    if (seen) seenByMonitors += 1;
    // The kernel tells ten reasons in five seconds; of the others the counters may tell nothing, but nothing wrong either.
    const level = wanted.limitBytes === undefined ? "pod's" : "container's";
    if (message.startsWith('out of memory at ') && !message.startsWith(`out of memory at the ${level} limit`))
      wrong.push(`${wanted.name}: ${message} (${id})`);
    if (exitCode !== wanted.exitCode || reason !== wanted.reason)
      wrong.push(
        `${wanted.name}: ${exitCode} ${reason}, must be ${wanted.exitCode} ${wanted.reason} (${id}); conmon has ${seen ? '' : 'not '}seen it`,
      );
  }
  const kills = all.filter(({ wanted }) => wanted.reason === 'OOMKilled').length;
  tell({
    kind: 'note',
    text: `${kills} OOM kills and ${all.length - kills} others, ${wrong.length} wrong; conmon alone has seen ${seenByMonitors}`,
  });
  if (wrong.length > 0) tell({ kind: 'note', text: await whatWasTold() });
  assert.deepEqual(wrong, []);
}

/** What the daemon and systemd have said of kills: for whoever asks why a case is wrong. */
async function whatWasTold(): Promise<string> {
  const ours = await output('journalctl', '--quiet', '--no-pager', '--unit=podwright.service', '--lines=20', '--grep=OOM kills').catch(
    String,
  );
  const units = ['--output=json', '--output-fields=UNIT', '_PID=1', 'MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef'];
  return `${ours}\n${await output('journalctl', '--quiet', '--no-pager', '--lines=40', ...units)}`;
}

async function ended(node: GuestNode, id: string): Promise<Pick<ContainerStatus, 'exitCode' | 'reason' | 'message'>> {
  const look = async (): Promise<ContainerStatus | undefined> => {
    const status = await containerStatus(node, id);
    return status.state === ContainerState.CONTAINER_EXITED ? status : undefined;
  };
  return until('the container ends', look, RECORD_MS).catch(() => ({ exitCode: -1, reason: 'not ended', message: '' }));
}

/** Runs the pods, and removes them whatever becomes of the work. */
async function withSets(node: GuestNode, image: string, plan: Plan, work: (all: readonly Running[]) => Promise<void>): Promise<void> {
  const pods: { pod: Pod; podCgroup: string }[] = [];
  try {
    const all: Running[] = [];
    for (let set = 0; set < plan.sets; set += 1) {
      for (const [cases, limitBytes] of [
        [OWN_LIMITS, undefined],
        [POD_LIMIT, POD_LIMIT_BYTES],
      ] as const) {
        const made = await runPod(node, plan.runtime);
        pods.push(made);
        for (let from = 0; from < cases.length; from += AT_ONCE)
          all.push(...(await Promise.all(cases.slice(from, from + AT_ONCE).map(async (each) => run(node, made.pod, image, each)))));
        // The runtime needs more when it starts them.
        if (limitBytes !== undefined) await node.limitPod(made.podCgroup, limitBytes);
      }
    }
    await work(all);
  } finally {
    for (const { pod, podCgroup } of pods) {
      await removePod(node, pod.id);
      await node.removePodCgroup(podCgroup);
    }
  }
}

/** Without a network of its own, which would take most of the time. */
/** A pod on the node's network, which takes the least time, in a cgroup that was made for it. */
export async function runPod(node: GuestNode, runtime: string): Promise<{ pod: Pod; podCgroup: string }> {
  const config = podConfig(node, { namespaces: { network: NamespaceMode.NODE } });
  const podCgroup = await node.makePodCgroup(config.metadata?.uid ?? '');
  const placed = { ...config, hostname: '', linux: { ...config.linux, cgroupParent: podCgroup } };
  const { podSandboxId } = await node.runtime.runPodSandbox({ config: placed, runtimeHandler: runtime });
  return { pod: { id: podSandboxId, config: placed }, podCgroup };
}

async function run(node: GuestNode, pod: Pod, image: string, wanted: Case): Promise<Running> {
  const config = await containerConfig(pod, shell(wanted.script), { name: wanted.name, image });
  const resources = {
    ...config.linux?.resources,
    memoryLimitInBytes: wanted.limitBytes ?? 0n,
    ...(wanted.isWhole === true ? { unified: { 'memory.oom.group': '1' } } : {}),
  };
  const limited = { ...config, linux: { ...config.linux, resources } };
  const { containerId: id } = await node.runtime.createContainer({ podSandboxId: pod.id, config: limited, sandboxConfig: pod.config });
  await node.runtime.startContainer({ containerId: id });
  const pid = await node.pidOf(id);
  await until(`${wanted.name} waits`, async () => pathExists(`/proc/${pid}/root/hold`), PATIENCE_MS);
  return { id, pid, wanted };
}

async function letGo({ pid, wanted }: Running): Promise<void> {
  if (wanted.isKilled === true) {
    process.kill(pid, 'SIGKILL');
    return;
  }
  // Without a reader an open would wait in one of the pool's few threads.
  const openNow = async (): Promise<FileHandle | undefined> => open(`/proc/${pid}/root/hold`, O_WRONLY | O_NONBLOCK).catch(() => undefined);
  const hold = await until(`${wanted.name} waits`, openNow, PATIENCE_MS);
  await hold.writeFile('go\n');
  await hold.close();
}

async function untilEnded({ pid, wanted }: Running): Promise<void> {
  // One that does not end is told with all others that are wrong.
  await until(`${wanted.name} ends`, async () => !(await pathExists(`/proc/${pid}`)), PATIENCE_MS).catch(() => undefined);
}
