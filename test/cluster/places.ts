/**
 * The namespaces that a cluster lives in, and what of the machine it sees as its own in there: nothing outside changes, and
 * whatever ends the test, all processes, mounts and links go with it.
 */
import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureDir, pathExists } from 'fs-extra/esm';
import { FIXED_DIRECTORIES, makeMissing, placeOf } from '../support/kubelet-places.ts';

const LIMITS = { timeout: 30_000, killSignal: 'SIGKILL' } as const;

/** What process 1 of the namespaces is called. */
const FIRST_NAME = 'podwright-cluster';
/** Processes start others until all have gone. */
const REST_ROUNDS = 20;
const REST_PAUSE_MS = 300;
/** The node's only link: a bridge, since not every kernel has dummy devices. */
const NODE_LINK = 'node0';
const NODE_ADDRESS = '10.99.0.2';
const NODE_GATEWAY = '10.99.0.1';
const DIRECTORIES = [...FIXED_DIRECTORIES, '/var/log/pods'];

/**
 * Runs a command in mount, network and PID namespaces of its own, whose mounts are shared among themselves, as a node's are. The
 * shell stays as process 1, which reaps.
 * @param more directories that are to be there besides the cluster's own
 * @returns the command's exit code
 */
export async function inOwnNamespaces(command: readonly string[], more: readonly string[] = []): Promise<number> {
  const made = await makeMissing([...DIRECTORIES, ...more]);
  const script = 'ip link set lo up && mount --make-rshared / && "$@"; exit $?';
  const args = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--', 'sh', '-c', script, FIRST_NAME, ...command];
  const { exitCode } = await execa('unshare', args, { stdio: 'inherit', reject: false });
  for (const path of made) await rmdir(path).catch(() => undefined); // another test may have begun to use it
  return exitCode ?? 1;
}

/** An address that is not the loopback's, forwarding, and a default route, without which the API server does not start. */
export async function makeNodeNetwork(): Promise<void> {
  const ip = (...args: string[]): Promise<unknown> => execa('ip', args, LIMITS);
  await ip('link', 'add', NODE_LINK, 'type', 'bridge');
  await ip('addr', 'add', `${NODE_ADDRESS}/24`, 'dev', NODE_LINK);
  await ip('link', 'set', NODE_LINK, 'up');
  await ip('route', 'add', 'default', 'via', NODE_GATEWAY);
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  // Answers of a pod to another one on its bridge must pass the rules that give a service its address.
  await writeFile('/proc/sys/net/bridge/bridge-nf-call-iptables', '1').catch((error: unknown) => {
    throw new Error('cluster: this kernel has no br_netfilter, services would not be reached from pods', { cause: error });
  });
}

/**
 * Puts directories below `folder` in the place of others, in this mount namespace.
 * @param paths the others; by default the kubelet's
 * @returns what takes them away again
 */
export async function coverPlaces(folder: string, paths: readonly string[] = DIRECTORIES): Promise<() => Promise<void>> {
  for (const path of paths) {
    const own = placeOf(folder, path);
    await ensureDir(own);
    await execa('mount', ['--bind', own, path], LIMITS);
    // A peer group of its own: else each volume would be mounted below `folder` as well.
    for (const propagation of ['--make-private', '--make-shared']) await execa('mount', [propagation, path], LIMITS);
  }
  return async () => {
    // One below may go by itself meanwhile, with the kubelet's namespace: `leftovers` looks whether all have gone.
    for (const path of paths) await execa('umount', ['-R', '-l', path], LIMITS).catch(() => undefined);
  };
}

/** Processes of this PID namespace that are neither this one nor its children, such as esbuild's service. */
async function others(): Promise<{ pid: number; name: string }[]> {
  const found: { pid: number; name: string }[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === 1 || pid === process.pid) continue;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''); // it has ended meanwhile
    const isOurs = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) === process.pid;
    if (status !== '' && !isOurs) found.push({ pid, name: /^Name:\s+(.*)/m.exec(status)?.[1] ?? '' });
  }
  return found;
}

async function mountTargets(): Promise<string[]> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
}

/** Ends what a runtime that was killed has left: its monitors and containers, and its mounts below `folder`. */
export async function endRest(folder: string): Promise<void> {
  const first = await readFile('/proc/1/cmdline', 'utf8');
  if (!first.includes(`\0${FIRST_NAME}\0`)) throw new Error('cluster: this is not a PID namespace of its own, nothing is ended');
  for (let rest = await others(), round = 0; rest.length > 0 && round < REST_ROUNDS; rest = await others(), round++) {
    for (const { pid } of rest) ignoreGone(() => process.kill(pid, 'SIGKILL'));
    await sleep(REST_PAUSE_MS);
  }
  for (const target of (await mountTargets()).toReversed())
    if (target.startsWith(`${folder}/`)) await execa('umount', ['-l', target], { ...LIMITS, reject: false });
}

function ignoreGone(kill: () => void): void {
  try {
    kill();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** What of a cluster that has ended is still there: processes of these namespaces, mounts over the kubelet's places, cgroups. */
export async function leftovers(cgroupRoot: string): Promise<string[]> {
  const left = (await others()).map(({ pid, name }) => `process ${pid} (${name})`);
  left.push(
    ...(await mountTargets()).filter((target) => DIRECTORIES.some((path) => target.startsWith(path))).map((target) => `mount ${target}`),
  );
  for (const hierarchy of ['', ...(await readdir('/sys/fs/cgroup'))]) {
    const path = join('/sys/fs/cgroup', hierarchy, cgroupRoot);
    if (await pathExists(path)) left.push(`cgroup ${path}`);
  }
  return left;
}
