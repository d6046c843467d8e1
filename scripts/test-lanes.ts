/**
 * Runs test files in lanes. A lane is a process with network and mount namespaces of its own: bridges, addresses, firewall
 * rules and mounts of one are not seen by another, and each has the loopback for itself. Cgroups and processes they share;
 * every daemon of the tests has its own. Root.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askLane, killLane } from './ask-lane.ts';
import type { FilesResult, RunOptions } from './test-files.ts';

/** A file that says so measures what a neighbour would disturb. */
const ALONE = /^\/\/ alone: \S/m;
/** About how long a file takes on two processors that are not busy: the longest begin first, or one of them goes on alone at the end. */
const LONG = /^\/\/ long: (\d+) s$/m;
/** Most a lane may take to end when it has nothing more to do. */
const END_TIMEOUT_MS = 10_000;
/** As in a new machine: the loopback is up, and mounts reach the pods that are made in it. */
const ENTER = 'ip link set lo up && mount --make-rshared / && exec "$@"';

/** Runs every file, those that say `// long:` first, and those that say `// alone:` at the end with no other lane at work. */
export async function runInLanes(
  files: readonly string[],
  lanes: number,
  options: RunOptions,
  say: (text: string) => void,
): Promise<FilesResult[]> {
  const marked = await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
  const seconds = (text: string): number => Number(LONG.exec(text)?.[1] ?? 0);
  const sorted = marked.toSorted((one, other) => seconds(other.text) - seconds(one.text));
  const isAlone = ({ text }: { text: string }): boolean => ALONE.test(text);
  const alone = sorted.filter(isAlone).map(({ file }) => file);
  const together = sorted.filter((each) => !isAlone(each)).map(({ file }) => file);
  const results: FilesResult[] = [];
  const queue = { files: together, options, say, results };
  await Promise.all(Array.from({ length: Math.min(lanes, together.length) }, async () => runLane(queue)));
  await runLane({ ...queue, files: alone });
  return results;
}

interface Queue {
  /** What is still to be run; lanes take from its front. */
  readonly files: string[];
  readonly options: RunOptions;
  readonly say: (text: string) => void;
  readonly results: FilesResult[];
}

async function runLane({ files, options, say, results }: Queue): Promise<void> {
  let lane: ChildProcess | undefined;
  for (let file = files.shift(); file !== undefined; file = files.shift()) {
    lane ??= startLane();
    const { text, result } = await askLane(lane, { file, options }, say);
    say(text);
    results.push(result);
    if (hasEnded(lane)) lane = undefined;
  }
  if (lane !== undefined) await endLane(lane, say);
}

function hasEnded(lane: ChildProcess): boolean {
  return lane.exitCode !== null || lane.signalCode !== null;
}

/**
 * Waits for a lane's end. What a test has left running and holds the output of its file open keeps the lane's event loop
 * alive: it is named, and everything in the lane is ended.
 */
async function endLane(lane: ChildProcess, say: (text: string) => void): Promise<void> {
  const ended = once(lane, 'exit');
  lane.disconnect();
  const isLate = await Promise.race([ended.then(() => false), sleep(END_TIMEOUT_MS, true, { ref: false })]);
  if (!isLate) return;
  say(await killLane(lane, 'a lane does not end'));
  await ended;
}

function startLane(): ChildProcess {
  const lane = [process.execPath, join(import.meta.dirname, 'test-lane.ts')];
  return spawn('unshare', ['--net', '--mount', '--propagation', 'private', '--', 'sh', '-c', ENTER, 'lane', ...lane], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}
