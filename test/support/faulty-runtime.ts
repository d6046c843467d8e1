import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';

const FIXTURE = join(import.meta.dirname, '../fixtures/runtime/faulty');

export type RuntimeFault = 'passes' | 'hangs' | 'is-slow' | 'dies-first' | 'dies' | 'floods' | 'floods-and-fails' | 'fails';

/** The test runtime, with a fault at one of its commands (test/fixtures/runtime/faulty). */
export class FaultyRuntime {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** One without a fault. */
  static async install(): Promise<FaultyRuntime> {
    const runtime = new FaultyRuntime(await mkdtemp(join(tmpdir(), 'pw-runtime-')));
    await copyFile(FIXTURE, runtime.path);
    await writeFile(`${runtime.path}.real`, process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc');
    await runtime.set('create', 'passes');
    return runtime;
  }

  get path(): string {
    return join(this.#directory, 'faulty');
  }

  /** Flags for a daemon that has it as its runtime. */
  get args(): readonly string[] {
    return ['--runtime', `runc=${this.path}`];
  }

  async set(at: string, does: RuntimeFault): Promise<void> {
    await writeFile(`${this.path}.does`, `${does}\n`);
    await writeFile(`${this.path}.at`, `${at}\n`);
  }

  /** How often a command was called. */
  async calls(command: string): Promise<number> {
    const text = await readFile(`${this.path}.calls`, 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line === command).length;
  }

  async remove(): Promise<void> {
    await remove(this.#directory);
  }
}
