// long: 40 s
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureDir } from 'fs-extra/esm';
import type { ContainerConfig, Init } from '../../api/cri/runtime.ts';
import { mountOf } from '../../src/linux/mountinfo.ts';
import { readMounts } from '../../src/linux/mounts.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import type { Pod } from '../support/pods.ts';
import { execOutput, execSync, runContainer, runPod, shell } from '../support/pods.ts';

const CONTAINERS = 50;
const STARTS_AT_ONCE = 25;
const COMMANDS_AT_ONCE = 10;
/** A stall is longer than any time for which output is read on after its writer's end. */
const STALL_LEAST_MS = 600;
const STALL_MOST_MS = 1_000;
/** A container's work must go on between two stalls, and be cut at ever other places. */
const RUN_MOST_MS = 60;
const STALLS = 15;

/** Stops the daemon's process for about a second, again and again at random moments, while `work` goes on. */
async function underStalls<T>(daemon: TestDaemon, work: Promise<T>): Promise<{ result: T; stalls: number }> {
  const finished = { is: false };
  const done = (): void => {
    finished.is = true;
  };
  work.then(done, done);
  let stalls = 0;
  while (!finished.is && stalls < STALLS) {
    await sleep(Math.random() * RUN_MOST_MS);
    process.kill(daemon.pid, 'SIGSTOP');
    stalls += 1;
    try {
      await sleep(STALL_LEAST_MS + Math.random() * (STALL_MOST_MS - STALL_LEAST_MS));
    } finally {
      process.kill(daemon.pid, 'SIGCONT');
    }
  }
  return { result: await work, stalls };
}

async function inParallel<T>(count: number, atOnce: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

interface WithVolumes {
  readonly id: string;
  /** The host paths of /there, which exists, and of /made, which the daemon has to make. */
  readonly sources: Readonly<Record<'/there' | '/made', string>>;
}

async function runWithVolumes(daemon: TestDaemon, pod: Pod, index: number): Promise<WithVolumes> {
  const directory = join(daemon.directory, 'volumes', String(index));
  const sources = { '/there': join(directory, 'there'), '/made': join(directory, 'made') };
  await ensureDir(sources['/there']);
  await writeFile(join(sources['/there'], 'index'), String(index));
  const mounts: Init<ContainerConfig['mounts'][number]>[] = Object.entries(sources).map(([containerPath, hostPath]) => ({
    containerPath,
    hostPath,
    readonly: false,
    selinuxRelabel: false,
    propagation: 0,
  }));
  return { id: await runContainer(daemon, pod, ['sleep', '3600'], { name: `c${index}`, change: { mounts } }), sources };
}

/** Where a path is in its file system: /tmp may be one of its own, or a directory that is mounted there. */
async function placeOf(path: string): Promise<string> {
  const mount = mountOf(await readMounts(), path);
  return join(mount?.root ?? '/', relative(mount?.target ?? '/', path));
}

/** What is wrong with the volumes of one container, as the container sees them and as the kernel says; '' where all is right. */
async function problemOf(daemon: TestDaemon, { id, sources }: WithVolumes, index: number): Promise<string> {
  const seen = await execOutput(daemon, id, shell('cat /there/index; echo; ls -A /there /made; touch /made/by-container'));
  const right = [String(index), '/made:', '', '/there:', 'index'].join('\n');
  if (seen !== right) return `container ${index} sees ${JSON.stringify(seen)}`;
  const { info } = await daemon.runtime.containerStatus({ containerId: id, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  const table = (await readFile(`/proc/${pid}/mountinfo`, 'utf8')).split('\n').map((line) => line.split(' '));
  for (const [target, source] of Object.entries(sources)) {
    const root = table.find((fields) => fields[4] === target)?.[3] ?? '(not mounted)';
    // The root within the source's own file system: the end of the path.
    const wanted = await placeOf(source);
    if (root !== wanted) return `container ${index}: ${target} is ${root}, must be ${wanted}`;
  }
  const ofBundle = table.find((fields) => fields[3]?.includes(`/bundles/${id}`) === true);
  return ofBundle === undefined ? '' : `container ${index} has its bundle at ${ofBundle[4] ?? ''}`;
}

e2eTest(
  `${CONTAINERS} containers that start while the daemon is held up again and again have the volumes asked for`,
  async (daemon, context) => {
    const pod = await runPod(daemon);
    const starting = inParallel(CONTAINERS, STARTS_AT_ONCE, async (index) => runWithVolumes(daemon, pod, index));
    const { result: made, stalls } = await underStalls(daemon, starting);
    context.diagnostic(`${stalls} stalls`);
    const problems = await Promise.all(made.map(async (container, index) => problemOf(daemon, container, index)));
    assert.deepEqual(
      problems.filter((problem) => problem !== ''),
      [],
    );
  },
  { isHeldUp: true },
);

e2eTest(
  'commands that are run while the daemon is held up again and again give all of their output',
  async (daemon) => {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, ['sleep', '3600']);
    const commands = inParallel(CONTAINERS, COMMANDS_AT_ONCE, async (index) =>
      execSync(daemon, id, shell(`echo out ${index}; echo err ${index} >&2; exit ${index}`), 120),
    );
    const { result } = await underStalls(daemon, commands);
    const answers = result.map(({ exitCode, stdout, stderr }) => [
      exitCode,
      Buffer.from(stdout).toString(),
      Buffer.from(stderr).toString(),
    ]);
    assert.deepEqual(
      answers,
      Array.from({ length: CONTAINERS }, (_, index) => [index, `out ${index}\n`, `err ${index}\n`]),
    );
  },
  { isHeldUp: true },
);
