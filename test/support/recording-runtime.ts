import { copyFile, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import type { OciSpec } from '../../src/ocispec/oci-types.ts';

const FIXTURE = join(import.meta.dirname, '../fixtures/runtime/recording');

/** The test runtime, whose calls are noted (test/fixtures/runtime/recording). */
export class RecordingRuntime {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async install(): Promise<RecordingRuntime> {
    const runtime = new RecordingRuntime(await mkdtemp(join(tmpdir(), 'pw-runtime-')));
    await copyFile(FIXTURE, runtime.path);
    await writeFile(`${runtime.path}.real`, process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc');
    await mkdir(`${runtime.path}.specs`);
    return runtime;
  }

  get path(): string {
    return join(this.#directory, 'recording');
  }

  /** The arguments of every call so far. */
  async calls(): Promise<string[][]> {
    const text = await readFile(`${this.path}.calls`, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '));
  }

  /** The spec that it was given for a container, or for the infra container of a sandbox. */
  async specOf(id: string): Promise<OciSpec> {
    return JSON.parse(await readFile(join(`${this.path}.specs`, id), 'utf8')) as OciSpec;
  }

  async remove(): Promise<void> {
    await remove(this.#directory);
  }
}
