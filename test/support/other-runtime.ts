import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../src/cli/cri-client.ts';
import type { CriClient } from '../../src/cli/cri-client.ts';

const START_TIMEOUT_MS = 60_000;

/** containerd or CRI-O with all of its files below a directory of the test, for comparison. */
export class OtherRuntime {
  readonly client: CriClient;
  readonly #child: ChildProcess;

  private constructor(socket: string, child: ChildProcess) {
    this.client = connect(socket);
    this.#child = child;
  }

  /**
   * @param program its path; what it needs is looked for beside it first
   * @param args that name its configuration, which has it listen on `socket`
   */
  static async start(
    program: string,
    args: readonly string[],
    socket: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<OtherRuntime> {
    await mkdir(dirname(socket), { recursive: true });
    const logFile = join(dirname(socket), 'other.log');
    const log = await open(logFile, 'a');
    const path = `${dirname(program)}:${process.env['PATH'] ?? ''}`;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, ...env, PATH: path },
    });
    await log.close();
    const runtime = new OtherRuntime(socket, child);
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await runtime.#answers())) {
      assert.ok(child.exitCode === null && Date.now() < end, `${program} does not answer: ${await readFile(logFile, 'utf8')}`);
      await sleep(100);
    }
    return runtime;
  }

  /** The runtime handlers that it advertises, in the order of their names. */
  async handlers(): Promise<string[]> {
    return handlersOf(this.client);
  }

  async stop(): Promise<void> {
    this.client.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  async #answers(): Promise<boolean> {
    return this.client.runtime.status({}, { timeoutMs: 1000 }).then(
      () => true,
      () => false,
    );
  }
}

/** The runtime handlers that a status advertises, in the order of their names. */
export async function handlersOf(client: CriClient): Promise<string[]> {
  const { runtimeHandlers } = await client.runtime.status({ verbose: false });
  return runtimeHandlers.map(({ name }) => name).sort();
}
