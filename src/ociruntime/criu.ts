import { dirname } from 'node:path';
import { DaemonError, messageOf } from '../base/errors.ts';
import { run } from '../linux/spawn.ts';

/** `criu check` takes some ten milliseconds, on a slow and busy node over ten seconds; most it may take, milliseconds. */
const CHECK_TIMEOUT_MS = 60_000;
/** Most of its words that are told, characters. */
const WORDS = 500;

/** CRIU, which runtimes start by its name to write checkpoints and to restore from them. */
export class Criu {
  readonly #program: string;
  #works = false;

  /** @param program its path, or the bare name where it was not found. */
  constructor(program: string) {
    this.#program = program;
  }

  /** An environment in which a runtime finds it: runc since 1.2 takes no path, so the folder comes first in PATH. */
  environment(base: Readonly<Record<string, string>>): Record<string, string> {
    const path = base['PATH'] ?? '';
    return { ...base, ...(this.#program.includes('/') ? { PATH: `${dirname(this.#program)}:${path}` } : {}) };
  }

  /** Asks CRIU whether it can work on this kernel; a yes is kept. @throws FailedPrecondition with its own words where it cannot. */
  async mustWork(what: string, environment: Readonly<Record<string, string>>): Promise<void> {
    const words = await this.lacks(environment);
    if (words !== undefined) throw new DaemonError('FailedPrecondition', `${what}: ${words}`);
  }

  /** Why it cannot work, in its own words; undefined where it can. */
  async lacks(environment: Readonly<Record<string, string>>): Promise<string | undefined> {
    if (this.#works) return undefined;
    const words = await this.#whyNot(environment);
    if (words !== undefined) return `CRIU cannot work on this node: ${words}`;
    this.#works = true;
    return undefined;
  }

  async #whyNot(env: Readonly<Record<string, string>>): Promise<string | undefined> {
    try {
      const { exit, stdout, stderr } = await run(this.#program, { args: ['check'], env, timeoutMs: CHECK_TIMEOUT_MS });
      if (exit.code === 0) return undefined;
      const said = `${stderr.toString()}\n${stdout.toString()}`.split('\n').map((line) => line.trim());
      return `criu check says: ${
        said
          .filter((line) => line !== '')
          .join('; ')
          .slice(0, WORDS) || 'nothing'
      }`;
    } catch (error) {
      return messageOf(error);
    }
  }
}
