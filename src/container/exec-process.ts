import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { DaemonError, fail, unlessMissing } from '../base/errors.ts';
import { adopt, type ExitStatus } from '../linux/children.ts';
import { closeAll, ended, pipe } from '../linux/pipes.ts';
import { describeExit, lastLine } from '../ociruntime/oci-runtime.ts';
import type { OciProcess } from '../spec/oci-types.ts';
import { execProcess, type ExecOptions } from '../spec/process.ts';
import { specToJson } from '../spec/spec-json.ts';
import { requireState, type ContainerRecord } from './container.ts';
import type { Containers } from './containers.ts';
import { runtimeOf } from './parts.ts';

/** A process started in a running container. It leads a process group and session of its own; its pid is our child's. */
export interface ExecProcess {
  readonly pid: number;
  readonly exit: Promise<ExitStatus>;
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

/** 128 plus the signal, as shells say it. */
export function exitCodeOf(exit: ExitStatus): number {
  return exit.code ?? 128 + exit.signal;
}

/** Files of one exec: the process object for the runtime, and the pid it answers with. */
export interface ExecFiles {
  readonly directory: string;
  readonly processFile: string;
  readonly pidFile: string;
}

/** Writes the OCI process object: that of the container's own process, with the command and terminal of the request. */
export async function writeExecFiles(
  bundle: string,
  execDirectory: string,
  options: ExecOptions,
): Promise<ExecFiles> {
  const directory = join(execDirectory, randomBytes(16).toString('hex'));
  const spec = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8')) as { process: OciProcess };
  const files = { directory, processFile: join(directory, 'process.json'), pidFile: join(directory, 'pid') };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(files.processFile, specToJson(execProcess(spec.process, options)), { mode: 0o600 });
  return files;
}

/** Waits on the process whose pid the runtime left behind. */
export async function adoptFromFile(files: ExecFiles, what: string): Promise<{ pid: number; exit: Promise<ExitStatus> }> {
  const pid = Number(await unlessMissing(readFile(files.pidFile, 'utf8'), ''));
  if (!Number.isInteger(pid) || pid <= 0) throw new DaemonError('Internal', `${what}: the runtime named no process`);
  return { pid, exit: adopt(pid) };
}

/** @throws FailedPrecondition unless the container runs and is not being stopped. */
export function requireExecutable(containers: Containers, id: string, command: readonly string[]): ContainerRecord {
  const container = containers.get(id);
  requireState(container, 'exec');
  if (containers.isStopping(container.record.id)) fail('FailedPrecondition', `exec container ${container.record.id}: it is being stopped`);
  if (command.length === 0) fail('InvalidArgument', `exec container ${container.record.id}: the command is empty, must be given`);
  return container.record;
}

/**
 * Starts a process without a terminal in a running container: the runtime's detached exec, with our pipes passed straight
 * through, and we as its subreaper . A caller that gives up must wait for it and kill the process: a runtime
 * killed half-way would leave it running.
 * @throws FailedPrecondition with the runtime's words where the command cannot start.
 */
export async function startExec(containers: Containers, record: ContainerRecord, command: readonly string[], wantStdin: boolean): Promise<ExecProcess> {
  const what = `exec container ${record.id}`;
  const files = await writeExecFiles(containers.bundleOf(record), containers.parts.execDirectory, { command, tty: false });
  try {
    const [stdin, stdout, stderr] = [wantStdin ? pipe() : undefined, pipe(), pipe()];
    const out = new Socket({ fd: stdout.readEnd, readable: true, writable: false });
    const err = new Socket({ fd: stderr.readEnd, readable: true, writable: false });
    const input = stdin === undefined ? undefined : new Socket({ fd: stdin.writeEnd, readable: false, writable: true });
    const abandon = (): void => {
      for (const socket of [out, err, input]) socket?.destroy();
    };
    for (const socket of [out, err, input]) socket?.on('error', () => undefined);
    let exit;
    try {
      const stdio = [stdin?.readEnd ?? 'ignore', stdout.writeEnd, stderr.writeEnd] as const;
      exit = await runtimeOf(containers.parts, record).exec({ containerId: record.id, ...files, stdio });
    } catch (error) {
      abandon();
      throw error;
    } finally {
      closeAll([stdout.writeEnd, stderr.writeEnd, ...(stdin === undefined ? [] : [stdin.readEnd])]);
    }
    if (exit.code !== 0) {
      const words = lastLine(await readAll(err));
      abandon();
      throw new DaemonError('FailedPrecondition', `${what}: ${JSON.stringify(command[0])} cannot start (${describeExit(exit)}): ${words}`);
    }
    return { ...(await adoptFromFile(files, what)), stdin: input, stdout: out, stderr: err };
  } finally {
    await rm(files.directory, { recursive: true, force: true });
  }
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await ended(socket);
  return Buffer.concat(chunks);
}
