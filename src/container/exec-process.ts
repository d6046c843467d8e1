import { Socket } from 'node:net';
import { DaemonError, fail, unlessMissing } from '../base/errors.ts';
import { adopt, type ExitStatus } from '../linux/children.ts';
import { readSmallFile, removeSmallFile, writeSmallFile } from '../linux/memory-files.ts';
import { closeAll, makePipes, type PipeEnds } from '../linux/pipes.ts';
import { describeExit } from '../ociruntime/oci-runtime.ts';
import { runtimeWords } from '../ociruntime/runtime-words.ts';
import { execProcess, type ExecOptions } from '../ocispec/process.ts';
import { specToJson } from '../ocispec/spec-json.ts';
import { requireState, type ContainerRecord } from './container.ts';
import type { Containers } from './containers.ts';
import type { ExecFiles } from './exec-files.ts';
import { processOf } from './process-file.ts';
import { SharedStderr } from './shared-stderr.ts';
import { givePipes } from './stdio-owner.ts';

/** A process started in a running container. It leads a process group and session of its own; its pid is our child's. */
export interface ExecProcess {
  readonly pid: number;
  readonly exit: Promise<ExitStatus>;
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

/** Writes the OCI process object: that of the container's own process, with the command and terminal of the request. */
export async function writeExecFiles(containers: Containers, record: ContainerRecord, options: ExecOptions): Promise<ExecFiles> {
  const files = containers.newExecFiles();
  const process = specToJson(execProcess(await processOf(containers.bundleOf(record.id), record.id), options));
  try {
    await writeSmallFile(files.processFile, process, 0o600);
  } catch (error) {
    removeExecFiles(files);
    throw error;
  }
  return files;
}

/** Removes them beside the caller's work; what stays behind, the next start removes. The terminal's socket goes with its listener. */
export function removeExecFiles(files: ExecFiles): void {
  for (const file of [files.processFile, files.pidFile]) removeSmallFile(file).catch(() => undefined);
}

/** Waits on the process whose pid the runtime left behind. */
export async function adoptFromFile(files: ExecFiles, what: string): Promise<{ pid: number; exit: Promise<ExitStatus> }> {
  const pid = Number(await unlessMissing(readSmallFile(files.pidFile), ''));
  if (!Number.isInteger(pid) || pid <= 0) throw new DaemonError('Internal', `${what}: the runtime named no process`);
  const exit = adopt(pid);
  // Its caller may have left before it waits.
  exit.catch(() => undefined);
  return { pid, exit };
}

/**
 * Commands may run in the grace period of a stop: readiness probes go on while a pod drains.
 * @throws FailedPrecondition unless the container runs and is not being killed.
 */
export function requireExecutable(containers: Containers, id: string, command: readonly string[]): ContainerRecord {
  const container = containers.get(id);
  requireState(container, 'exec');
  if (containers.isBeingKilled(container.record.id))
    fail('FailedPrecondition', `exec container ${container.record.id}: it is being killed`);
  if (command.length === 0) fail('InvalidArgument', `exec container ${container.record.id}: the command is empty, must be given`);
  return container.record;
}

/**
 * Starts a process without a terminal in a running container: the runtime's detached exec, with our pipes passed straight
 * through, and we as its subreaper. A caller that gives up must wait for it and kill the process: a runtime killed half-way
 * would leave it running.
 * @throws FailedPrecondition with the runtime's words where the command cannot start.
 */
export async function startExec(
  containers: Containers,
  record: ContainerRecord,
  command: readonly string[],
  wantStdin: boolean,
): Promise<ExecProcess> {
  const what = `exec container ${record.id}`;
  const files = await writeExecFiles(containers, record, { command, tty: false });
  let words: SharedStderr | undefined;
  const streams = {
    stdin: undefined as Socket | undefined,
    stdout: undefined as Socket | undefined,
    stderr: undefined as Socket | undefined,
  };
  try {
    const [out, err, input] = makePipes(wantStdin ? 3 : 2) as [PipeEnds, PipeEnds, PipeEnds?];
    givePipes([out.readEnd, err.readEnd, ...(input === undefined ? [] : [input.readEnd])], containers.ownerOf(record));
    const stdout = reader(out.readEnd);
    const stderr = reader(err.readEnd);
    words = new SharedStderr(stderr);
    const stdin = input === undefined ? undefined : writer(input.writeEnd);
    Object.assign(streams, { stdin, stdout, stderr });
    const exit = await containers
      .runtimeOf(record)
      .exec({
        containerId: record.id,
        pidFile: files.pidFile,
        processFile: files.processFile,
        stdio: [input?.readEnd ?? 'ignore', out.writeEnd, err.writeEnd],
      })
      .finally(() => {
        closeAll([out.writeEnd, err.writeEnd, ...(input === undefined ? [] : [input.readEnd])]);
      });
    if (exit.code !== 0) {
      const said = runtimeWords(await words.words());
      throw new DaemonError('FailedPrecondition', `${what}: ${JSON.stringify(command[0])} cannot start (${describeExit(exit)}): ${said}`);
    }
    words.handOver();
    return { ...(await adoptFromFile(files, what)), stdin, stdout, stderr };
  } catch (error) {
    words?.stop();
    for (const stream of Object.values(streams)) stream?.destroy();
    throw error;
  } finally {
    removeExecFiles(files);
  }
}

function reader(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false }).on('error', () => undefined);
}

function writer(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true }).on('error', () => undefined);
}
