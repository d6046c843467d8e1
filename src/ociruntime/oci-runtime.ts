import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { waitFor, withTimeout } from '../base/deadline.ts';
import { DaemonError, unlessMissing } from '../base/errors.ts';
import { isObjectId } from '../base/ids.ts';
import { step } from '../base/steps.ts';
import { onThread } from '../linux/kernel-threads.ts';
import type { Child, ExitStatus, RunResult, Stdio } from '../linux/spawn.ts';
import { timeProgram } from '../linux/slow-programs.ts';
import { killGroup, run, spawnBeside } from '../linux/spawn.ts';
import { readAnswer, readFeatures, readState, type HandlerFeatures, type OciState } from './answers.ts';
import { runtimeWords } from './runtime-words.ts';

export interface OciRuntimeOptions {
  /** The runtime handler's name, as in RunPodSandboxRequest.runtime_handler. */
  readonly name: string;
  readonly path: string;
  /** The runtime's own state directory (`--root`). */
  readonly root: string;
  readonly systemdCgroup: boolean;
  /** Further arguments that stand before every command. */
  readonly options?: readonly string[];
  /** Arguments of conmon's by which it creates a container in a special way: `--no-pivot`. */
  readonly createOptions?: readonly string[];
  /** The environment of every runtime process. */
  readonly environment: Readonly<Record<string, string>>;
}

/** One process more in a running container. */
export interface RuntimeExecRequest {
  readonly containerId: string;
  /** A file with the OCI process object. */
  readonly processFile: string;
  /** Where the runtime writes the pid, as the host sees it. */
  readonly pidFile: string;
  /** Our descriptors for stdin, stdout and stderr, passed straight through; with a console only the runtime uses them. */
  readonly stdio: readonly Stdio[];
  /** A unix socket that receives the terminal's master. */
  readonly consoleSocket?: string;
}

/** runc's words for a container that it does not know (libcontainer, ErrNotExist). */
const RUNC_NOT_THERE = 'container does not exist';
/** runc's words where a cgroup v1 was not frozen after a thousand looks, as on a busy node. It has let it go on then (opencontainers/cgroups, fs/freezer.go). */
const RUNC_NOT_FROZEN = 'unable to freeze';
const PAUSE_TRIES = 5;

/** Most a runtime command may take, milliseconds; a runtime that hangs must not hang its caller for ever. */
const COMMAND_TIMEOUT_MS = 60_000;
/** The same for what a runtime is asked about itself, which takes milliseconds: a start waits for that. */
const QUESTION_TIMEOUT_MS = 2_000;

/** One OCI runtime (runc, crun, ...) by its command line. Stateless: the runtime's root directory is the state. */
export class OciRuntime {
  readonly name: string;
  readonly path: string;
  readonly #options: OciRuntimeOptions;

  constructor(options: OciRuntimeOptions) {
    this.name = options.name;
    this.path = options.path;
    this.#options = options;
  }

  /** The global arguments that every command of this handler needs, for conmon's `--runtime-arg`. */
  get globalArgs(): readonly string[] {
    const { root, systemdCgroup, options = [] } = this.#options;
    return ['--root', root, ...(systemdCgroup ? ['--systemd-cgroup'] : []), ...options];
  }

  /** What conmon is told beside them. */
  get createOptions(): readonly string[] {
    return this.#options.createOptions ?? [];
  }

  /** The environment of the runtime's processes, and of the monitor that starts some. */
  get environment(): Readonly<Record<string, string>> {
    return this.#options.environment;
  }

  get systemdCgroup(): boolean {
    return this.#options.systemdCgroup;
  }

  /** Lets the container's process run. @throws Internal with the runtime's words. */
  async start(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#mustRun('start', ['start', containerId], { signal });
  }

  /** Freezes all processes of the container. @throws Internal with the runtime's words. */
  async pause(containerId: string, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const result = await this.#run(['pause', containerId], { signal });
      if (result.exit.code === 0) return;
      if (tries === PAUSE_TRIES || runtimeWords(result.stderr) !== RUNC_NOT_FROZEN) throw this.#failure('pause', containerId, result);
    }
  }

  /** Lets the processes of a container go on; one that is not frozen goes on already. @throws Internal with the runtime's words. */
  async resume(containerId: string): Promise<void> {
    if ((await this.state(containerId))?.status === 'paused') await this.#mustRun('resume', ['resume', containerId], {});
  }

  /** Sends a signal to all processes of the container, also where it has no PID namespace of its own. */
  async killAll(containerId: string, signalNumber: number): Promise<void> {
    await this.#mustRun('kill', ['kill', '--all', containerId, String(signalNumber)], {});
  }

  /**
   * Deletes what the runtime keeps of the container, and kills what still runs in it. A container that it does not know is
   * already deleted.
   */
  async delete(containerId: string): Promise<void> {
    // Force comes second: runc then sleeps for 100 ms, even where the container has ended.
    const polite = await this.#run(['delete', containerId], {});
    // A start asks for every container that has ended, and most are gone by then. Other runtimes' words are left to force.
    if (polite.exit.code === 0 || runtimeWords(polite.stderr) === RUNC_NOT_THERE) return;
    const result = await this.#run(['delete', '--force', containerId], {});
    if (result.exit.code === 0 || (await this.state(containerId)) === undefined) return;
    throw this.#failure('delete', containerId, result);
  }

  /**
   * Deletes a container that may have been killed while it was restored: runc mounts the root file system for CRIU in its own
   * directory of the container, and a runc that dies leaves that behind without a state that its `delete` would find.
   */
  async deleteRestored(containerId: string): Promise<void> {
    const directory = join(this.#options.root, containerId);
    // First: what removes the directory must not go into the root file system.
    await onThread('unmountAllBelow', { prefix: directory });
    await this.delete(containerId);
    await rm(directory, { recursive: true, force: true });
  }

  /** The ids of which the runtime keeps something: in its root is a directory for each container. */
  async ids(): Promise<string[]> {
    return (await unlessMissing(readdir(this.#options.root), [] as string[])).filter(isObjectId);
  }

  /**
   * What the runtime knows of a container; undefined where it knows none of that id.
   * @throws Internal that names the field where its answer is wrong.
   */
  async state(containerId: string, signal?: AbortSignal): Promise<OciState | undefined> {
    const result = await this.#run(['state', containerId], { signal });
    if (result.exit.code !== 0) return undefined;
    return readAnswer(`${this.name} state ${containerId}`, result.stdout.toString(), readState);
  }

  /** Applies an OCI LinuxResources object to a container's cgroup. */
  async update(containerId: string, resources: unknown, signal?: AbortSignal): Promise<void> {
    await this.#mustRun('update', ['update', '--resources', '-', containerId], { input: JSON.stringify(resources), signal });
  }

  /**
   * The runtime's `features` document (OCI features.md); undefined where it has no such command.
   * @throws DeadlineExceeded where it does not answer within 2 s, Internal that names the field where its answer is wrong.
   */
  async features(timeoutMs = QUESTION_TIMEOUT_MS, signal?: AbortSignal): Promise<HandlerFeatures | undefined> {
    const result = await this.#run(['features'], { timeoutMs, signal });
    if (result.exit.code !== 0) return undefined;
    return readAnswer(`${this.name} features`, result.stdout.toString(), readFeatures);
  }

  /** The first line of `--version`. @throws where the program cannot be run, or does not answer within 2 s. */
  async version(): Promise<string> {
    const result = await run(this.path, { args: ['--version'], env: this.#options.environment, timeoutMs: QUESTION_TIMEOUT_MS });
    return result.stdout.toString().split('\n')[0] ?? '';
  }

  /**
   * Starts a process in a running container and leaves it to us: we are the subreaper, so it becomes our child. An end other
   * than exit 0 means that the command could not start; the runtime's words are then on the stderr that it was given.
   * @throws DeadlineExceeded where the runtime hangs.
   */
  async exec(request: RuntimeExecRequest): Promise<ExitStatus> {
    const args = [...this.globalArgs, 'exec', '--detach', '--pid-file', request.pidFile, '--process', request.processFile];
    if (request.consoleSocket !== undefined) args.push('--console-socket', request.consoleSocket);
    args.push(request.containerId);
    return step('run OCI runtime', async () => this.#exec(request, args), `${this.name} exec`);
  }

  async #exec(request: RuntimeExecRequest, args: readonly string[]): Promise<ExitStatus> {
    const what = `${this.name} exec ${request.containerId}`;
    const deadline = withTimeout(undefined, COMMAND_TIMEOUT_MS, what);
    try {
      const options = { args, env: this.#options.environment, stdio: request.stdio, newSession: true };
      return await this.#endOf(await spawnBeside(this.path, options, deadline.signal), what, deadline.signal);
    } finally {
      deadline.clear();
    }
  }

  async #endOf(child: Child, what: string, signal: AbortSignal): Promise<ExitStatus> {
    const stopTiming = timeProgram(child.pid, basename(this.path), () => what);
    try {
      return await waitFor(child.exit, signal);
    } catch (error) {
      killGroup(child.pid);
      throw error;
    } finally {
      stopTiming();
    }
  }

  async #run(
    args: readonly string[],
    options: { input?: string | undefined; signal?: AbortSignal | undefined; timeoutMs?: number },
  ): Promise<RunResult> {
    const command = async (): Promise<RunResult> =>
      run(this.path, {
        what: `${this.name} ${args.slice(0, 3).join(' ')}`,
        args: [...this.globalArgs, ...args],
        env: this.#options.environment,
        timeoutMs: options.timeoutMs ?? COMMAND_TIMEOUT_MS,
        ...(options.input === undefined ? {} : { input: options.input }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    return step('run OCI runtime', command, `${this.name} ${args[0] ?? ''}`);
  }

  async #mustRun(command: string, args: readonly string[], options: { input?: string; signal?: AbortSignal | undefined }): Promise<void> {
    const result = await this.#run(args, options);
    if (result.exit.code !== 0) throw this.#failure(command, args.at(-1) ?? '', result);
  }

  #failure(command: string, what: string, result: RunResult): DaemonError {
    return new DaemonError('Internal', `${this.name} ${command} ${what}: ${describeExit(result.exit)}: ${runtimeWords(result.stderr)}`);
  }
}

/** An exit status in words. */
export function describeExit(exit: ExitStatus): string {
  return exit.code === undefined ? `killed by signal ${exit.signal}` : `exit ${exit.code}`;
}
