import { access, readdir, readFile, realpath } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { findingsOf, type Finding } from './finding.ts';

/** What another container runtime has left, or runs, on this node. */
export interface OtherRuntimeFacts {
  readonly sockets: readonly { readonly path: string; readonly answers: boolean }[];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
  readonly directories: readonly string[];
  /** Monitors of pods that another runtime has made, by the runtime's name; they run on without it. */
  readonly monitors: readonly { readonly of: 'containerd' | 'CRI-O'; readonly pid: number }[];
}

const SOCKETS = [
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/cri-dockerd.sock',
  '/run/docker.sock',
  '/run/k3s/containerd/containerd.sock',
];
const PROGRAMS = ['containerd', 'crio', 'dockerd', 'cri-dockerd', 'k3s-server', 'k3s-agent'];
const DIRECTORIES = ['/var/lib/containerd', '/var/lib/docker', '/var/lib/containers/storage', '/var/lib/rancher/k3s/agent/containerd'];
const CONNECT_MS = 1_000;

/** @param ours the sockets that our own daemon listens on. */
export async function readOtherRuntimes(ours: readonly string[]): Promise<OtherRuntimeFacts> {
  const own = new Set(await Promise.all(ours.map(resolved)));
  const sockets = await Promise.all(
    SOCKETS.map(async (path) => {
      if (own.has(await resolved(path)) || !(await exists(path))) return [];
      return [{ path, answers: await answers(path) }];
    }),
  );
  const directories = await Promise.all(DIRECTORIES.map(async (path) => ((await readdir(path).catch(() => [])).length > 0 ? [path] : [])));
  return {
    sockets: sockets.flat(),
    processes: await processesNamed(PROGRAMS),
    directories: directories.flat(),
    monitors: await foreignMonitors(),
  };
}

/** Shims of containerd, and those conmons whose exit directory is CRI-O's. */
async function foreignMonitors(): Promise<OtherRuntimeFacts['monitors']> {
  const found = await Promise.all(
    (await processesNamed(['containerd-shim', 'containerd-shim-runc-v2', 'conmon'])).map(async ({ name, pid }) => {
      if (name !== 'conmon') return [{ of: 'containerd' as const, pid }];
      const args = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return args.includes('/crio/exits') ? [{ of: 'CRI-O' as const, pid }] : [];
    }),
  );
  return found.flat();
}

/** The processes whose program has one of these names. */
export async function processesNamed(names: readonly string[]): Promise<{ name: string; pid: number }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
      // A thread's worth of characters: comm has 15.
      return names.some((each) => each.slice(0, 15) === name) ? [{ name, pid: Number(pid) }] : [];
    }),
  );
  return found.flat();
}

async function resolved(path: string): Promise<string> {
  return realpath(path).catch(() => path.replace(/^\/var\/run\//, '/run/'));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false); // prettier-ignore
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(CONNECT_MS, () => {
      end(true); // somebody listens there, and does not get round to us
    });
    socket.once('connect', () => {
      end(true);
    });
    socket.once('error', () => {
      end(false);
    });
  });
}

const { ok, note, warning } = findingsOf('other runtimes');

export function judgeOtherRuntimes({ sockets, processes, directories, monitors }: OtherRuntimeFacts): Finding[] {
  const findings: Finding[] = [];
  for (const peer of ['containerd', 'CRI-O'] as const) {
    const pids = monitors.filter((each) => each.of === peer).map(({ pid }) => pid);
    if (pids.length === 0) continue;
    findings.push(
      warning(`pods that ${peer} has made still run: ${pids.length} monitors of theirs, the first with pid ${Math.min(...pids)}`, {
        must: 'none: the kubelet does not see them, and nothing counts or ends them',
        advice: `start ${peer} once more and remove them: crictl rmp -fa on its socket.`,
      }),
    );
  }
  for (const { name, pid } of processes)
    findings.push(
      warning(`${name} runs, pid ${pid}`, {
        must: 'one runtime a node',
        advice: `systemctl disable --now ${name}, after its pods are removed (crictl rmp -fa on its socket).`,
      }),
    );
  for (const { path, answers: isAlive } of sockets) {
    if (isAlive)
      findings.push(warning(`another runtime answers on ${path}`, { must: 'none: kubeadm stops at two runtimes', advice: 'Stop it, or give kubeadm --cri-socket.' })); // prettier-ignore
    else
      findings.push(note(`${path} is there, and nobody answers on it`, { advice: `rm ${path}: kubeadm takes it for a second runtime.` }));
  }
  for (const path of directories)
    findings.push(
      note(`${path} has the images of another runtime`, {
        advice: basename(path) === 'storage' ? 'Use them (image.additional_stores), or remove them.' : 'Remove it when the node does not go back to that runtime.', // prettier-ignore
      }),
    );
  return findings.length === 0 ? [ok('no other runtime is on this node')] : findings;
}
