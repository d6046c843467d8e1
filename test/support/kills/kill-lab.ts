import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import type { Image } from '../../../api/cri/runtime.ts';
import { pidOf } from '../cgroup-files.ts';
import { TestDaemon } from '../daemon.ts';
import { assertNothingNew, inventoryOf } from '../e2e-test.ts';
import { difference } from '../inventory.ts';
import type { Inventory } from '../inventory.ts';
import { removePod, runContainer, runPod } from '../pods.ts';
import { TestRegistry } from '../registry.ts';
import { nameOf, outcomeOf } from './operations.ts';
import type { Operation } from './operations.ts';
import { storedFiles, union } from './stored-files.ts';
import type { StoredFiles } from './stored-files.ts';
import { pushSubjects, SUBJECTS } from './subjects.ts';
import type { SubjectName, Subjects } from './subjects.ts';

const PULL_TIMEOUT_MS = 60_000;

/** What a store that was never killed says and has of one image alone. */
interface Reference {
  readonly told: Image;
  readonly files: StoredFiles;
}

/** A registry with all {@link SUBJECTS}. */
export interface KillRegistry {
  readonly registry: TestRegistry;
  readonly subjects: Subjects;
}

export async function makeKillRegistry(seed: number): Promise<KillRegistry> {
  const registry = await TestRegistry.start();
  const scratch = await mkdtemp(join(tmpdir(), 'pw-kills-'));
  try {
    return { registry, subjects: await pushSubjects(registry, scratch, seed) };
  } catch (error) {
    await registry.stop();
    throw error;
  } finally {
    await remove(scratch);
  }
}

/** When the daemon is to be killed, as parts of the time that the work takes undisturbed. */
export interface Moment {
  readonly ofOperation: number;
  /** Kills the next daemon too, in its start. */
  readonly ofStart?: number | undefined;
}

/** A daemon that is killed, and what the store has of each where nothing was killed. */
export class KillLab {
  readonly daemon: TestDaemon;
  readonly subjects: Subjects;
  readonly #references = new Map<SubjectName, Reference>();
  #empty: { readonly files: StoredFiles; readonly node: Inventory } = { files: [], node: [] };
  #startMs = 0;
  readonly #durations = new Map<Operation, number>();

  private constructor(daemon: TestDaemon, subjects: Subjects) {
    this.daemon = daemon;
    this.subjects = subjects;
  }

  static async make({ registry, subjects }: KillRegistry, config: string): Promise<KillLab> {
    return new KillLab(await TestDaemon.start({ images: [], config: `${await registry.daemonConfig({})}${config}` }), subjects);
  }

  async close(): Promise<void> {
    await this.daemon.destroy();
  }

  /** Learns what a store has that was never killed: empty, and with each image alone, which is compared with what was pushed. */
  async learn(): Promise<void> {
    const begin = performance.now();
    await this.daemon.restart();
    this.#startMs = performance.now() - begin;
    this.#empty = { files: await this.#files(), node: await inventoryOf(this.daemon) };
    for (const name of SUBJECTS) {
      await this.pull(name);
      const [told, ...others] = await this.list();
      assert.ok(told !== undefined && others.length === 0);
      assert.equal(told.id, this.subjects[name].id);
      this.#references.set(name, { told, files: await this.#files() });
      await this.remove(name);
      await this.assertStored([]);
    }
  }

  async pull(name: SubjectName): Promise<void> {
    const { name: image, id } = this.subjects[name];
    assert.equal((await this.daemon.images.pullImage({ image: { image } }, { timeoutMs: PULL_TIMEOUT_MS })).imageRef, id);
  }

  async remove(name: SubjectName): Promise<void> {
    await this.daemon.images.removeImage({ image: { image: this.subjects[name].name } }, { timeoutMs: PULL_TIMEOUT_MS });
  }

  async list(): Promise<Image[]> {
    return (await this.daemon.images.listImages({})).images;
  }

  /** Names of the images that the daemon lists. */
  async listed(): Promise<SubjectName[]> {
    return this.#namesOf(await this.list());
  }

  /** Holds where just these images are listed, each as it is where it is alone, and the store has what they need and not a byte more. */
  async assertStored(names: readonly SubjectName[]): Promise<void> {
    const images = await this.list();
    assert.deepEqual(
      this.#namesOf(images),
      SUBJECTS.filter((name) => names.includes(name)),
    );
    const expected = union([this.#empty.files, ...names.map((name) => this.#references.get(name)?.files ?? [])]);
    const files = await this.#files();
    const differences = [
      ...difference(expected, files).map((line) => `+ ${line}`),
      ...difference(files, expected).map((line) => `- ${line}`),
    ];
    assert.ok(differences.length === 0, `the store has what it must not (+), or lacks what it must have (-):\n${differences.join('\n')}`);
    for (const name of names) {
      const told = images.find(({ id }) => id === this.subjects[name].id);
      assert.deepEqual(told, this.#references.get(name)?.told, `how ${name} is listed`);
    }
    if (names.length === 0) await assertNothingNew(this.daemon, this.#empty.node);
  }

  #namesOf(images: readonly Image[]): SubjectName[] {
    const found = SUBJECTS.filter((name) => images.some(({ id }) => id === this.subjects[name].id));
    assert.equal(found.length, images.length, 'an image is listed twice, or is none that was pulled');
    return found;
  }

  /** Makes these images those that are there. */
  async prepare(names: readonly SubjectName[]): Promise<void> {
    for (const name of await this.listed()) if (!names.includes(name)) await this.remove(name);
    const found = await this.listed();
    for (const name of names) if (!found.includes(name)) await this.pull(name);
    await this.assertStored(names);
  }

  /** How long an operation takes where nobody is killed; it is measured once, and must come out right. */
  async durationOf(operation: Operation): Promise<number> {
    const known = this.#durations.get(operation);
    if (known !== undefined) return known;
    await this.prepare(operation.present);
    const begin = performance.now();
    for (const answer of await Promise.allSettled(this.#calls(operation).map(async ({ answer }) => answer)))
      if (answer.status === 'rejected') throw answer.reason;
    const durationMs = performance.now() - begin;
    await this.assertStored(outcomeOf(operation) ?? (await this.listed()));
    this.#durations.set(operation, durationMs);
    return durationMs;
  }

  /** Kills the daemon in an operation, looks at what the next one finds, and has the operation done again. @returns what was found. */
  async kill(operation: Operation, moment: Moment): Promise<string> {
    const delayMs = (await this.durationOf(operation)) * moment.ofOperation;
    await this.prepare(operation.present);
    const calls = this.#calls(operation);
    await sleep(delayMs);
    await this.daemon.kill9();
    await Promise.allSettled(calls.map(async ({ answer }) => answer));
    if (moment.ofStart !== undefined) {
      await this.daemon.launch();
      await sleep(this.#startMs * moment.ofStart);
      await this.daemon.kill9();
    }
    await this.daemon.start();

    const found = await this.listed();
    const isAnswered = (verb: 'pull' | 'remove', name: SubjectName): boolean =>
      calls.some((call) => call.verb === verb && call.name === name && call.isAnswered);
    for (const name of SUBJECTS) {
      const isPulled = operation.pulls.includes(name);
      const isRemoved = operation.removes.includes(name);
      if (isPulled && isRemoved) continue;
      if (isPulled) assert.ok(!isAnswered('pull', name) || found.includes(name), `${name} was pulled and is gone`);
      else if (isRemoved) assert.ok(!isAnswered('remove', name) || !found.includes(name), `${name} was removed and came back`);
      else assert.equal(found.includes(name), operation.present.includes(name), `${name}, which nobody touched`);
    }
    await this.assertStored(found);

    await this.#again(operation);
    const answered = calls.filter(({ isAnswered: is }) => is).length;
    return `${nameOf(operation)}: killed after ${Math.round(delayMs)} ms, ${answered} of ${calls.length} calls answered, found ${found.join(', ') || 'nothing'}`;
  }

  /** Holds where every layer has the digest that its record says, and every blob that of its name. */
  async assertSound(): Promise<void> {
    const { stdout } = await execa('curl', [
      '-sS',
      '-X',
      'POST',
      '--unix-socket',
      join(this.daemon.runDir, 'admin.sock'),
      'http://admin/v1/images/verify',
    ]);
    const reports = JSON.parse(stdout) as { readonly tree: string; readonly blob: string }[];
    assert.ok(reports.length > 0);
    assert.deepEqual(
      reports.filter(({ tree, blob }) => tree !== 'sound' || blob === 'damaged'),
      [],
    );
  }

  /** Compares every file that a container sees with what was pushed. */
  async assertSeen(names: readonly SubjectName[]): Promise<void> {
    const pod = await runPod(this.daemon);
    const volumes = names.filter((name) => this.subjects[name].isArtifact).map((name) => this.subjects[name].name);
    const imageVolumes = Object.fromEntries(volumes.map((image, index) => [`/model-${index}`, { image }]));
    for (const name of names.filter((each) => !this.subjects[each].isArtifact)) {
      const { name: image, files } = this.subjects[name];
      const id = await runContainer(this.daemon, pod, ['sleep', '3600'], { image, imageVolumes, name: name.replaceAll(' ', '-') });
      const inside = `/proc/${await pidOf(this.daemon, id)}/root`;
      await assertFiles(join(inside, 'data'), files);
      for (const [index, volume] of volumes.entries()) {
        const model = SUBJECTS.find((each) => this.subjects[each].name === volume);
        if (model !== undefined) await assertFiles(join(inside, `model-${index}`), this.subjects[model].files);
      }
    }
    await removePod(this.daemon, pod.id);
  }

  async #again(operation: Operation): Promise<void> {
    const expected = outcomeOf(operation);
    if (expected === undefined) {
      for (const name of operation.removes) await this.remove(name);
      for (const name of operation.pulls) await this.pull(name);
      const left = operation.present.filter((name) => !operation.removes.includes(name));
      await this.assertStored([...left, ...operation.pulls]);
      return;
    }
    await Promise.all(this.#calls(operation).map(async ({ answer }) => answer));
    await this.assertStored(expected);
  }

  #calls({ pulls, removes }: Operation): Call[] {
    const call = (verb: Call['verb'], name: SubjectName, answer: Promise<void>): Call => {
      const made: Call = { verb, name, isAnswered: false, answer };
      // Without waiting; who waits for the answer hears of a failure.
      answer.then(
        () => (made.isAnswered = true),
        () => undefined,
      );
      return made;
    };
    return [...removes.map((name) => call('remove', name, this.remove(name))), ...pulls.map((name) => call('pull', name, this.pull(name)))];
  }

  async #files(): Promise<StoredFiles> {
    return storedFiles(join(this.daemon.root, 'storage'));
  }
}

interface Call {
  readonly verb: 'pull' | 'remove';
  readonly name: SubjectName;
  readonly answer: Promise<void>;
  isAnswered: boolean;
}

async function assertFiles(directory: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, sum] of files)
    assert.equal(createHash('sha256').update(await readFile(join(directory, path))).digest('hex'), sum, path); // prettier-ignore
}
