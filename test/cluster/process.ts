import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessOptions {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it serves; asked again and again after the start. */
  readonly isReady: () => Promise<boolean>;
  readonly startTimeoutMs?: number;
}

/** The API server's first start fills the store: half a minute on a busy machine. */
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 60_000;

/** A component of the cluster as a child of ours, with its log in a file. It ends with us, whatever ends us. */
export class Component {
  readonly #options: ProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and waits until it is ready. @throws with the end of its log where it ends before, or is not in time. */
  async start(): Promise<void> {
    assert.equal(this.isRunning, false, `${this.name} runs already`);
    await this.#launch();
    await this.#untilReady();
  }

  async #launch(): Promise<void> {
    const { program, args, logFile, env } = this.#options;
    const log = await open(logFile, 'a');
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      env: { ...process.env, ...env },
    });
    await log.close();
  }

  async #untilReady(): Promise<void> {
    const { name, isReady, startTimeoutMs = START_TIMEOUT_MS } = this.#options;
    const end = Date.now() + startTimeoutMs;
    while (!(await isReady().catch(() => false))) {
      if (!this.isRunning) assert.fail(`${name} ended while it started:\n${await this.logTail()}`);
      if (Date.now() > end) assert.fail(`${name} is not ready after ${startTimeoutMs} ms:\n${await this.logTail()}`);
      await sleep(200);
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || !this.isRunning) return;
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
    process.kill(child.pid, signal);
    await ended;
  }

  async logTail(lines = 40): Promise<string> {
    const text = await readFile(this.#options.logFile, 'utf8').catch(() => '');
    return `--- ${this.#options.logFile}\n${text.split('\n').slice(-lines).join('\n')}\n---\n`;
  }
}
