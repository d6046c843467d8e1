import { DaemonError, hasErrno, kindOf, messageOf } from '../base/errors.ts';
import { step } from '../base/steps.ts';
import { run, SHORT_LIVED_GO, STANDARD_PATH } from '../linux/spawn.ts';
import { isObject } from '../base/json.ts';
import type { ErrorKind } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ExitStatus, RunResult } from '../linux/spawn.ts';
import type { PluginFinder } from './plugin-finder.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** What a plugin is told besides its configuration: SPEC.md, "Parameters". */
export interface PluginCall {
  readonly command: CniCommand;
  readonly network: string;
  /** The name of the plugin's binary. */
  readonly type: string;
  readonly containerId?: string;
  /** The network namespace's path; empty where it is gone (DEL only). */
  readonly netns?: string;
  readonly ifName?: string;
  /** `KEY=VALUE` pairs with ";" between. */
  readonly args?: string;
}

export interface Limits {
  /** Most that one plugin may take, milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** One finished plugin process, for metrics. */
export interface PluginRun {
  readonly network: string;
  readonly plugin: string;
  readonly command: CniCommand;
  readonly seconds: number;
  readonly ok: boolean;
}

/** SPEC.md, "Error": 11 try again later; 50 not available; 51 not available, and containers may have lost the network. */
const UNAVAILABLE_CODES = [11, 50, 51];
/** The search path for what plugins call themselves (iptables, tc, ip), where the daemon has none. */
/** Most of a plugin's plain words that an error repeats, characters. */
const WORDS_LIMIT = 1000;

/** Executes plugins, one process a call, and puts their failures into words. */
export class PluginRunner {
  readonly #finder: PluginFinder;
  readonly #log: Log;
  readonly #observe: (run: PluginRun) => void;

  constructor(finder: PluginFinder, log: Log, observe: (run: PluginRun) => void = () => undefined) {
    this.#finder = finder;
    this.#log = log;
    this.#observe = observe;
  }

  /** Looks whether the plugin is there. @throws {DaemonError} Unavailable where its binary is in none of the directories. */
  async look(network: string, type: string): Promise<void> {
    try {
      await this.#finder.look(type);
    } catch (error) {
      throw new DaemonError(kindOf(error), `cni network "${network}": ${messageOf(error)}`, { cause: error });
    }
  }

  /**
   * Runs one plugin with `config` on its stdin. Gives what it answered: parsed JSON for ADD and VERSION, else undefined.
   * At the timeout or abort its whole process group is killed.
   * @throws {DaemonError} `cni network "x", plugin bridge, ADD: <the plugin's own words>`.
   */
  async call(call: PluginCall, config: unknown, limits: Limits): Promise<unknown> {
    const started = performance.now();
    let ok = false;
    try {
      const input = JSON.stringify(config);
      const detail = `${call.type} of ${call.network}, ${call.command}`;
      const result = await step('run CNI plugin', async () => this.#succeed(call, input, limits), detail);
      const warning = shorten(result.stderr.toString());
      if (warning !== '')
        this.#log.debug(`${title(call)}: ${warning}`, call.containerId === undefined ? {} : { sandboxId: call.containerId });
      const answer = call.command === 'ADD' || call.command === 'VERSION' ? answerOf(call, result) : undefined;
      ok = true;
      return answer;
    } finally {
      const seconds = (performance.now() - started) / 1000;
      this.#observe({ network: call.network, plugin: call.type, command: call.command, seconds, ok });
    }
  }

  async #succeed(call: PluginCall, input: string, limits: Limits): Promise<RunResult> {
    const result = await this.#run(call, input, limits);
    if (result.exit.code !== 0) throw failure(call, failureKind(result.stdout), wordsOf(result));
    return result;
  }

  async #run(call: PluginCall, input: string, limits: Limits): Promise<RunResult> {
    const path = await inWordsOf(call, this.#finder.find(call.type));
    try {
      return await this.#execute(path, call, input, limits);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw notRun(call, error, limits, path);
    }
    // It was found before, so an upgrade may have moved it.
    const moved = await inWordsOf(call, this.#finder.look(call.type));
    try {
      return await this.#execute(moved, call, input, limits);
    } catch (error) {
      throw notRun(call, error, limits, moved);
    }
  }

  async #execute(path: string, call: PluginCall, input: string, limits: Limits): Promise<RunResult> {
    const signal = limits.signal === undefined ? {} : { signal: limits.signal };
    return run(path, {
      args: [],
      env: this.#environment(call),
      input,
      timeoutMs: limits.timeoutMs,
      mayBeCut: true,
      what: title(call),
      ...signal,
    });
  }

  /** Nothing of the daemon's own environment but the search path; most plugins are Go programs. */
  #environment(call: PluginCall): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? STANDARD_PATH,
      ...SHORT_LIVED_GO,
      CNI_COMMAND: call.command,
      CNI_PATH: this.#finder.dirs.join(':'),
      ...(call.containerId === undefined ? {} : { CNI_CONTAINERID: call.containerId }),
      ...(call.netns === undefined ? {} : { CNI_NETNS: call.netns }),
      ...(call.ifName === undefined ? {} : { CNI_IFNAME: call.ifName }),
      ...(call.args === undefined ? {} : { CNI_ARGS: call.args }),
    };
  }
}

async function inWordsOf<T>(call: PluginCall, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw failure(call, kindOf(error), messageOf(error), error);
  }
}

/** Puts into words that a plugin could not be started, or was killed. */
function notRun(call: PluginCall, error: unknown, limits: Limits, path: string): DaemonError {
  if (hasErrno(error, 'ENOENT')) return failure(call, 'Internal', `start ${path}: the interpreter that it names is missing`, error);
  if (!(error instanceof DaemonError)) return failure(call, 'Internal', `start ${path}: ${messageOf(error)}`, error);
  if (error.kind !== 'DeadlineExceeded' || limits.signal?.aborted === true)
    return failure(call, error.kind, `killed: ${error.message}`, error);
  const said = /; it said: (.*)$/s.exec(error.message)?.[1];
  const words = `no answer after ${limits.timeoutMs / 1000} s, killed${said === undefined ? '' : `; it said: ${said}`}`;
  return failure(call, 'DeadlineExceeded', words, error);
}

function title(call: PluginCall): string {
  return `cni network "${call.network}", plugin ${call.type}, ${call.command}`;
}

/**
 * A plugin's own words in the error of its call; undefined where it did not get to say why it refuses: killed, crashed, not there,
 * or "try again later".
 */
export function refusalIn(call: PluginCall, error: unknown): string | undefined {
  if (!(error instanceof DaemonError) || error.kind !== 'Internal') return undefined;
  const prefix = `${title(call)}: `;
  if (!error.message.startsWith(prefix)) return undefined;
  const words = error.message.slice(prefix.length);
  return /^(start |ended by signal |answered |the answer: )/.test(words) ? undefined : words;
}

/** An error in the name of one plugin's call. */
export function failure(call: PluginCall, kind: ErrorKind, words: string, cause?: unknown): DaemonError {
  return new DaemonError(kind, `${title(call)}: ${words}`, { cause });
}

function errorObject(stdout: Buffer): { code: number; msg: string; details: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(stdout.toString());
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { code, msg, details } = value;
  if (typeof msg !== 'string' || msg === '') return undefined;
  return { code: typeof code === 'number' ? code : 0, msg, details: typeof details === 'string' ? details : '' };
}

function failureKind(stdout: Buffer): ErrorKind {
  const code = errorObject(stdout)?.code;
  return code !== undefined && UNAVAILABLE_CODES.includes(code) ? 'Unavailable' : 'Internal';
}

/** A failed plugin's own words: its error object, else its stderr, else its stdout, else how it ended. */
function wordsOf(result: RunResult): string {
  const error = errorObject(result.stdout);
  if (error !== undefined) return error.details === '' || error.details === error.msg ? error.msg : `${error.msg} (${error.details})`;
  const words = shorten(result.stderr.toString()) || shorten(result.stdout.toString());
  return words === '' ? `${ending(result.exit)} without a word` : `${ending(result.exit)}: ${words}`;
}

function ending(exit: ExitStatus): string {
  return exit.code === undefined ? `ended by signal ${exit.signal}` : `exit code ${exit.code}`;
}

function answerOf(call: PluginCall, { stdout, cut, heldOpen }: RunResult): unknown {
  if (cut) throw failure(call, 'Internal', `answered more than ${stdout.length} bytes, must be less`);
  const text = stdout.toString();
  if (text.trim() === '') throw failure(call, 'Internal', 'answered nothing, must answer a JSON object');
  try {
    return JSON.parse(text);
  } catch (error) {
    const left = heldOpen ? ' before it ended; what it left behind holds its output open' : '';
    throw failure(call, 'Internal', `answered what is not JSON${left}: ${shorten(text)}`, error);
  }
}

/** The end of a text, where the reason usually is, on one line. */
function shorten(text: string): string {
  const line = text.trim().replaceAll(/\s*\n\s*/g, ' | ');
  return line.length <= WORDS_LIMIT ? line : `...${line.slice(-WORDS_LIMIT)}`;
}
