/**
 * Compares CRI runtimes by what the kubelet asks of them: `npm run bench -- [TARGET...] [OPTION...]`.
 *
 * A TARGET is `NAME=podwright[:DIST]`, `NAME=containerd:FILE` or `NAME=crio:FILE`, a runtime that is started for it with everything of its
 * own, or `NAME=unix:SOCKET[,PID]`, one that runs; ours where none is given. The first is ours; ratios are to the best of the others. All have
 * the same runtime, monitor and plugins (PODWRIGHT_TEST_RUNTIME, PODWRIGHT_TEST_CONMON, PODWRIGHT_TEST_CNI_BIN), and are measured in turns
 * within one run, so that noise of the machine meets them alike.
 *
 *     --phases REGEX       of lives, at-once, streams, steps, processor, calls, scale, lists, restore, pulls, memory; all
 *     --short              a minute: few rounds, small images
 *     --json FILE, --svg FILE   all values, and a picture
 *     --image REF          where the targets are sockets: an image with `sleep` and `true`
 *     --registry H:P       one that runs, and keeps the images of the pulls; else one is started (Debian package docker-registry)
 *     --no-floor           without the parts alone
 *     --user-namespaces    pods with one, in turn with those without
 *     --rounds, --rounds-at-once, --lives, --pods, --scale-rounds, --containers, --restore, --image-mib, --images, --pull-rounds,
 *     --memory-lives, --memory-pods
 *
 * Root. A table goes to standard output.
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { remove } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import { pushImage } from '../../scripts/push-image.ts';
import { messageOf } from '../../src/base/errors.ts';
import { pauseProgram } from '../../src/podsandbox/pause-program.ts';
import { findProgram } from '../support/find-program.ts';
import { TestRegistry } from '../support/registry.ts';
import { IMAGES, testImages } from '../support/test-image.ts';
import { measureCalls, measureFloorsProcessor, measureProcessor } from './cost.ts';
import { execByStream } from './exec-stream.ts';
import { Floor } from './floor.ts';
import { measureLists } from './lists.ts';
import { measureMemory } from './memory.ts';
import { plot } from './plot.ts';
import { CriPod, podLife, SHARED_PID, USER_NAMESPACE, USUAL } from './pod-life.ts';
import { benchImages } from './pull-images.ts';
import { measurePulls } from './pulls.ts';
import { document, table } from './report.ts';
import { measureRestore, measureScale } from './scale.ts';
import { partsOfMachine, startTarget } from './targets.ts';
import type { Target } from './targets.ts';
import { TaskStats } from './taskstats.ts';
import { Times } from './times.ts';
import { inTurn } from './turns.ts';
import { measureWaterfall, waterfallText } from './waterfall.ts';
import type { WaterfallRow } from './waterfall.ts';

const AT_ONCE = 10;
const SHORT_REST_MS = 5000;
const FULL = {
  rounds: '20', 'rounds-at-once': '5', lives: '20', pods: '50', 'scale-rounds': '3', containers: '500', restore: '200',
  'image-mib': '1024', images: 'four,one,sixty,small', 'pull-rounds': '3', 'memory-lives': '1000', 'memory-pods': '50,110',
} as const; // prettier-ignore
const SHORT: Record<keyof typeof FULL, string> = {
  rounds: '5', 'rounds-at-once': '1', lives: '5', pods: '10', 'scale-rounds': '1', containers: '50', restore: '10',
  'image-mib': '48', images: 'one,sixty', 'pull-rounds': '1', 'memory-lives': '10', 'memory-pods': '10',
}; // prettier-ignore
const PHASES = ['lives', 'at-once', 'streams', 'steps', 'processor', 'calls', 'scale', 'lists', 'restore', 'pulls', 'memory'] as const;

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    ...(Object.fromEntries(Object.keys(FULL).map((name) => [name, { type: 'string' }])) as Record<keyof typeof FULL, { type: 'string' }>),
    short: { type: 'boolean', default: false },
    phases: { type: 'string', default: '' },
    floor: { type: 'boolean', default: true },
    'user-namespaces': { type: 'boolean', default: false },
    'shared-pid': { type: 'boolean', default: false },
    image: { type: 'string' },
    registry: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
  },
});
const values = { ...(given.short ? SHORT : FULL), ...given };
const count = (name: keyof typeof FULL): number => Number(values[name]);
const KINDS = [USUAL, ...(values['shared-pid'] ? [SHARED_PID] : []), ...(values['user-namespaces'] ? [USER_NAMESPACE] : [])];

interface Run {
  readonly targets: readonly Target[];
  readonly floor: Floor | undefined;
  readonly registry: string | undefined;
  /** Of the first, where it is ours. */
  readonly steps: WaterfallRow[];
}

const MEASURES: Record<(typeof PHASES)[number], (run: Run) => Promise<void>> = {
  lives: async ({ targets, floor }) => {
    await everyRound('rounds', targets, floor, async (each) => {
      for (const kind of each === floor ? [USUAL] : KINDS) await podLife(each, each.times, kind);
    });
    await floor?.measureMonitored(count('rounds'));
  },
  'at-once': async ({ targets, floor }) =>
    everyRound('rounds-at-once', targets, floor, async (each) => {
      await Promise.all(Array.from({ length: AT_ONCE }, async () => podLife(each, each.times, USUAL, `${AT_ONCE} at once: `)));
    }),
  streams: async ({ targets }) => {
    const pods = new Map<Target, CriPod>();
    for (const target of targets) pods.set(target, await CriPod.run(target));
    for (const pod of pods.values()) await pod.startContainer();
    for (let n = 0; n < count('rounds'); n += 1) for (const [target, pod] of inTurn([...pods], n)) await execByStream(target, pod);
    for (const pod of pods.values()) await pod.removeAll();
  },
  steps: async (run) => {
    const [ours] = run.targets;
    if (ours?.daemon !== undefined) run.steps.push(...(await measureWaterfall(ours, ours.daemon, count('lives'))));
  },
  processor: async ({ targets, floor }) => {
    let stats: TaskStats;
    try {
      stats = await TaskStats.open();
    } catch (error) {
      process.stderr.write(`processor: not measured, the kernel does not tell of ended processes: ${messageOf(error)}\n`);
      return;
    }
    for (const target of targets) await measureProcessor(target, count('lives'), stats);
    if (floor !== undefined) await measureFloorsProcessor(floor, floor.times, count('lives'), stats);
    stats.close();
  },
  calls: async ({ targets }) => {
    if ((await findProgram('strace')) === undefined) process.stderr.write('calls: not counted, strace is not in PATH\n');
    else for (const target of targets) await measureCalls(target);
  },
  scale: async ({ targets }) =>
    everyRound('scale-rounds', targets, undefined, async (target) => measureScale(target as Target, count('pods'))),
  lists: async ({ targets }) => measureLists(targets, count('containers')),
  restore: async ({ targets }) => {
    for (const target of targets) await measureRestore(target, count('restore'));
  },
  pulls: async ({ targets, floor, registry }) => {
    const images = benchImages(count('image-mib')).filter(({ name }) => values.images.split(',').includes(name));
    if (registry === undefined) process.stderr.write('pulls: not measured, docker-registry is not in PATH\n');
    else await measurePulls(targets, floor?.times, images, registry, count('pull-rounds'));
  },
  memory: async ({ targets, registry }) => {
    const [, image] = benchImages(count('image-mib'));
    const pods = values['memory-pods'].split(',').map(Number);
    await measureMemory(targets, { pods, lives: count('memory-lives'), image, registry, ...(values.short && { restMs: SHORT_REST_MS }) });
  },
};

async function everyRound(
  rounds: keyof typeof FULL,
  targets: readonly Target[],
  floor: Floor | undefined,
  measure: (each: Target | Floor) => Promise<void>,
): Promise<void> {
  const all = [...targets, ...(floor === undefined ? [] : [floor])];
  for (let round = 0; round < count(rounds); round += 1) {
    for (const each of inTurn(all, round)) {
      await measure(each);
      if (each !== floor) await (each as Target).tidy();
    }
  }
}

async function main(): Promise<void> {
  process.env['PODWRIGHT_DIST'] ??= join(import.meta.dirname, '../../dist');
  const logDirectory = await mkdtemp(join(tmpdir(), 'podwright-bench-'));
  const targets: Target[] = [];
  let [registry, floor]: [TestRegistry | undefined, Floor | undefined] = [undefined, undefined];
  try {
    if (values.registry === undefined && values.image === undefined && (await findProgram('docker-registry')) !== undefined) {
      registry = await TestRegistry.start();
    }
    const host = values.registry ?? registry?.host;
    if (host !== undefined) await pushPodImages(host);
    const parts = partsOfMachine(host);
    const image = values.image ?? (host === undefined ? IMAGES.busybox : `${host}/bench/busybox:1`);
    for (const text of positionals.length === 0 ? ['podwright=podwright'] : positionals) {
      const target = await startTarget(text, { parts, image, logDirectory });
      targets.push(target);
      await prepare(target);
    }
    if (values.floor && targets[0]?.kind === 'podwright') floor = await Floor.start(targets[0], parts);
    if (floor !== undefined) await podLife(floor, new Times());
    const run: Run = { targets, floor, registry: host, steps: [] };
    await measureAll(run);
    await tell(run);
  } finally {
    await floor?.end();
    for (const target of targets) await target.end();
    await registry?.stop();
    await remove(logDirectory);
  }
}

/** The image of the pods, and the one that others keep a pod's namespaces with. */
async function pushPodImages(host: string): Promise<void> {
  const to = { registry: `http://${host}`, tags: ['1'] };
  await pushImage((await testImages()).busybox, { ...to, repository: 'bench/busybox' });
  const pause = await makeLayer([{ path: 'pause', kind: 'file', mode: 0o555, data: Buffer.from(pauseProgram(process.arch)) }]);
  await pushImage({ layers: [pause], config: { Entrypoint: ['/pause'] } }, { ...to, repository: 'bench/pause' });
}

/** Has the image there. The first pod of a daemon loads code and makes bridges; it is nobody's usual case. */
async function prepare(target: Target): Promise<void> {
  const { client, image } = target;
  const { image: present } = await client.image.imageStatus({ image: { image } }, { timeoutMs: 60_000 });
  if (present === undefined) await client.image.pullImage({ image: { image } }, { timeoutMs: 240_000 });
  for (let n = 0; n < 3; n += 1) await podLife(target, new Times());
}

async function measureAll(run: Run): Promise<void> {
  const wanted = new RegExp(`^(?:${values.phases === '' ? '.*' : values.phases})$`);
  for (const phase of PHASES.filter((each) => wanted.test(each))) {
    const begun = performance.now();
    try {
      await MEASURES[phase](run);
    } catch (error) {
      // The others tell something all the same.
      process.stderr.write(`${phase}: failed: ${messageOf(error)}\n`);
      process.exitCode = 1;
    }
    process.stderr.write(`${phase}: ${((performance.now() - begun) / 1000).toFixed(0)} s\n`);
  }
}

async function tell({ targets, floor, steps }: Run): Promise<void> {
  process.stdout.write(`${table(targets, floor?.times)}\n`);
  if (floor !== undefined) process.stdout.write(`\n${table([{ name: 'the parts one by one', times: floor.parts }], undefined)}\n`);
  if (steps.length > 0) process.stdout.write(`\nms since its begin, ms\n${waterfallText(steps)}`);
  const data = { ...document(targets, floor?.times, floor?.parts, { ...values, targets: positionals }), steps };
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(data, undefined, 2)}\n`);
  if (values.svg !== undefined) await writeFile(values.svg, plot(targets, floor?.times));
}

await main();
