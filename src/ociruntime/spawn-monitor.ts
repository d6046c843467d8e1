import { DaemonError, messageOf } from '../base/errors.ts';
import type { PipeEnds } from '../linux/pipes.ts';
import { closeAll, makePipes } from '../linux/pipes.ts';
import type { Child } from '../linux/spawn.ts';
import { killGroup, spawnBeside } from '../linux/spawn.ts';
import type { MonitoredBundle } from './monitored-bundle.ts';
import type { OciRuntime } from './oci-runtime.ts';

/** A checkpoint that the runtime restores in the place of creating anew; the container's processes then run at once. */
export interface RestoreRequest {
  /** CRIU's images. */
  readonly images: string;
  /** A directory for its log. */
  readonly work: string;
  /** As Criu.environment() gives it. */
  readonly environment: Readonly<Record<string, string>>;
  /** The AppArmor profile in place of the one that the processes had; that one where it is left out. */
  readonly apparmorProfile?: string | undefined;
}

/** One container to be created under a monitor of its own. */
export interface MonitorRequest {
  readonly containerId: string;
  /** The name in conmon's own log lines. */
  readonly name: string;
  readonly bundle: MonitoredBundle;
  readonly logPath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** Puts the monitor's pid into a cgroup of its own. */
  readonly placeMonitor: (pid: number) => Promise<void>;
  /** Most the runtime may take for the creation, milliseconds. */
  readonly timeoutMs: number;
  readonly restore?: RestoreRequest | undefined;
  /** Ends the creation early, with its reason. */
  readonly signal?: AbortSignal;
}

export interface MonitorOptions {
  readonly conmonPath: string;
  /** Where conmon writes one exit file per container. */
  readonly exitDirectory: string;
  /** Most bytes a container's log may take before it is truncated; -1 for no limit. */
  readonly logSizeMaxBytes: number;
}

/**
 * conmon (2.1.6 to 2.2.1, conn_sock.c) reads an attach client's memory once more after freeing it, if a write to the client
 * fails before conmon has seen its end. Where glibc has given the top of the heap back to the kernel by then, this ends the
 * monitor by SIGSEGV, and the container with it. Bytes; mallopt(3).
 */
const KEEP_HEAP = { MALLOC_TRIM_THRESHOLD_: String(2 ** 30) };

/** conmon's option parser takes only text of its locale. In the C locale, a path or name that is not ASCII ends it without a word. */
const ANY_TEXT = { LC_ALL: 'C.UTF-8' } as const;
/**
 * conmon makes a terminal's socket in the directory for temporary files (conn_sock.c, setup_console_socket), where it would stay if conmon were killed. Its own working
 * directory is the bundle, and goes with the container. By this name, since a socket's path may have 107 bytes.
 */
const TERMINAL_IN_BUNDLE = { TMPDIR: '.' } as const;
/** The environment variable that names, on conmon and what it starts, the container it works for; see restore. */
export const OWNER_VARIABLE = 'PODWRIGHT_CONTAINER';

/** A conmon that was started, and our ends of its pipes. */
export interface SpawnedMonitor {
  readonly child: Child;
  readonly syncEnd: number;
  readonly stderrEnd: number;
  readonly startEnd: OwnedFd;
}

/** A descriptor that is closed once, by whoever comes first. */
export class OwnedFd {
  #fd: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  take(): number {
    const fd = this.#fd;
    if (fd === undefined) throw new Error('descriptor was taken already');
    this.#fd = undefined;
    return fd;
  }

  close(): void {
    if (this.#fd !== undefined) closeAll([this.take()]);
  }
}

/** Starts conmon, which waits for its start pipe. */
export async function spawnMonitor(options: MonitorOptions, runtime: OciRuntime, request: MonitorRequest): Promise<SpawnedMonitor> {
  const [sync, start, stderr] = makePipes(3) as [PipeEnds, PipeEnds, PipeEnds];
  try {
    const child = await spawnBeside(options.conmonPath, {
      args: conmonArgs(options, runtime, request),
      env: {
        ...(request.restore?.environment ?? runtime.environment),
        ...KEEP_HEAP,
        ...ANY_TEXT,
        ...(request.terminal ? TERMINAL_IN_BUNDLE : {}),
        _OCI_SYNCPIPE: '3',
        _OCI_STARTPIPE: '4',
        [OWNER_VARIABLE]: request.containerId,
      },
      cwd: request.bundle.directory,
      stdio: ['ignore', 'ignore', stderr.writeEnd, sync.writeEnd, start.readEnd],
      newSession: true,
    });
    return { child, syncEnd: sync.readEnd, stderrEnd: stderr.readEnd, startEnd: new OwnedFd(start.writeEnd) };
  } catch (error) {
    closeAll([sync.readEnd, start.writeEnd, stderr.readEnd]);
    throw new DaemonError('Internal', `container ${request.containerId}: cannot run ${options.conmonPath}: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    closeAll([sync.writeEnd, start.readEnd, stderr.writeEnd]);
  }
}

/** A monitor that is there only after the signal. Its start pipe was held until now: closed, it would let the monitor go on. */
export function discardSpawned({ child, startEnd, syncEnd, stderrEnd }: SpawnedMonitor): void {
  killGroup(child.pid);
  startEnd.close();
  closeAll([syncEnd, stderrEnd]);
}

function conmonArgs(options: MonitorOptions, runtime: OciRuntime, request: MonitorRequest): string[] {
  const { bundle } = request;
  const args = [
    // The flush of the log would hold up the exit code, on a busy disk by seconds.
    '--sync', '--no-sync-log', '--full-attach', '--cid', request.containerId, '--cuuid', request.containerId, '--name', request.name,
    '--bundle', bundle.directory, '--container-pidfile', bundle.pidFile,
    '--persist-dir', bundle.persistDirectory, '--exit-dir', options.exitDirectory,
    '--log-path', request.logPath, '--log-level', 'warning', '--runtime', runtime.path,
    '--socket-dir-path', options.exitDirectory,
  ]; // prettier-ignore
  for (const arg of runtime.globalArgs) args.push(`--runtime-arg=${arg}`);
  args.push(...runtime.createOptions);
  if (runtime.systemdCgroup) args.push('--systemd-cgroup');
  if (options.logSizeMaxBytes >= 0) args.push('--log-size-max', String(options.logSizeMaxBytes));
  if (request.terminal) args.push('--terminal');
  else if (request.stdin) args.push('--stdin');
  if (request.stdin && !request.stdinOnce) args.push('--leave-stdin-open');
  if (request.restore !== undefined) {
    const { images, work, apparmorProfile } = request.restore;
    args.push('--restore', images);
    const options = ['--work-path', work, '--file-locks'];
    if (apparmorProfile !== undefined) options.push('--lsm-profile', `apparmor:${apparmorProfile}`);
    for (const option of options) args.push(`--runtime-opt=${option}`);
  }
  return args;
}
