import type { Socket } from 'node:net';
import { settledWithin } from '../base/deadline.ts';
import { hasErrno } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { killGroup, spawn, type Child, type ExitStatus } from '../linux/spawn.ts';
import type { PluginFile } from './plugin-directory.ts';
import { logOutput } from './plugin-output.ts';

/** How long a plugin may take to end after SIGTERM, milliseconds. */
const TERM_MS = 2000;
/** How long after SIGKILL: it may hang in the kernel. */
const KILL_MS = 2000;
/** How long after its end what it has written last is still read, where somebody else holds its connection open, milliseconds. */
const DRAIN_MS = 500;

/** The descriptor at which a launched plugin finds its connection. */
const PLUGIN_FD = 3;

/** A plugin that the daemon has started: its process. */
export class PluginProcess {
  readonly pid: number;
  readonly stream: Socket;
  readonly #child: Child;
  #exit: ExitStatus | undefined;

  /**
   * Starts a plugin with nothing but its connection, and the three variables that upstream gives it (containerd/nri,
   * pkg/api/plugin.go). What it writes goes to the log.
   * @throws the system error: ENOEXEC where it is no program for this machine, ...
   */
  constructor({ path, index, name }: PluginFile, log: Log) {
    this.#child = spawn(path, {
      args: [],
      env: { NRI_PLUGIN_NAME: name, NRI_PLUGIN_IDX: index, NRI_PLUGIN_SOCKET: String(PLUGIN_FD) },
      stdio: ['ignore', 'pipe', 'pipe', 'socket'],
      newSession: true,
    });
    const { pid, pipes, exit } = this.#child;
    const stream = pipes[PLUGIN_FD];
    if (stream === undefined) throw new Error(`start ${path}: it has no connection`);
    this.pid = pid;
    this.stream = stream;
    for (const pipe of [pipes[1], pipes[2]]) if (pipe !== undefined) logOutput(pipe, `${index}-${name}`, log);
    void exit.then((status) => {
      this.#exit = status;
      this.#endRest();
    });
  }

  /** Makes it end, and waits for that. @returns how it has ended, in words. */
  async end(): Promise<string> {
    if (this.#exit === undefined) this.#terminate();
    await settledWithin(this.#child.exit, TERM_MS);
    if (this.#exit === undefined) {
      killGroup(this.pid);
      await settledWithin(this.#child.exit, KILL_MS);
    }
    for (const pipe of this.#child.pipes) pipe?.destroy();
    return this.#exit === undefined ? 'its process does not end' : exitWords(this.#exit);
  }

  /** What it has started has its connection too: that would stay open, and we would take the plugin for alive. */
  #endRest(): void {
    // It was reaped in this turn, so no other group has its number yet.
    killGroup(this.pid);
    setTimeout(() => {
      this.stream.destroy();
    }, DRAIN_MS).unref();
  }

  #terminate(): void {
    try {
      process.kill(-this.pid, 'SIGTERM');
    } catch (error) {
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }
}

function exitWords({ code, signal }: ExitStatus): string {
  return signal === undefined ? `exit code ${code}` : `ended by signal ${signal}`;
}
