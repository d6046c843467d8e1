/** CDI devices are injected as the upstream library does it, which both peers use: tags.cncf.io/container-device-interface. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';
import { DaemonError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { completeNodes } from '../../../src/cdi/device-nodes.ts';
import { findDevices } from '../../../src/cdi/find-devices.ts';
import { SpecDirectories } from '../../../src/cdi/spec-directories.ts';
import { mergeCdiEdits, withCdiEdits } from '../../../src/ocispec/cdi-edits.ts';
import type { OciSpec } from '../../../src/ocispec/oci-types.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { CORPUS, type CorpusCase } from './corpus.ts';

const SCRIPT = join(import.meta.dirname, '../../../scripts/build-cdi-library.sh');
const built = await execa('bash', [SCRIPT], { reject: false });
const skip = built.exitCode !== 0 && `the CDI library is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

interface Outcome {
  readonly spec?: OciSpec;
  /** Why the devices are not injected. */
  readonly error?: string;
  readonly unresolved?: readonly string[];
  /** What is wrong with each file. */
  readonly specErrors?: Readonly<Record<string, readonly string[]>>;
}

interface Question {
  readonly dirs: readonly string[];
  readonly devices: readonly string[];
  readonly spec: OciSpec;
}

/** A spec with something that each edit may meet. */
function ociSpec(user: number): OciSpec {
  return {
    ociVersion: '1.0.2',
    root: { path: '/rootfs', readonly: true },
    process: {
      terminal: true,
      user: { uid: user, gid: user, additionalGids: [44, 1001] },
      args: ['sh'],
      env: ['PATH=/bin', 'HOME=/root'],
      cwd: '/',
      capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'], inheritable: ['CAP_KILL'], ambient: [] },
      rlimits: [],
      noNewPrivileges: true,
      oomScoreAdj: 5,
    },
    mounts: ['/proc', '/dev', '/dev/shm', '/etc/hosts'].map((destination) => ({ destination, type: 'bind', source: '/s', options: ['rbind'] })), // prettier-ignore
    annotations: { a: 'b' },
    linux: {
      namespaces: [{ type: 'pid' }],
      devices: ['/dev/has', '/dev/other'].map((path) => ({ type: 'c', path, major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 })),
      cgroupsPath: '/c',
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
    },
  };
}

async function writeCase(directory: string, { files, devices, user = 1000 }: CorpusCase): Promise<Question> {
  const dirs = ['0', '1'].map((name) => join(directory, name));
  for (const each of dirs) await ensureDir(each);
  for (const [name, content] of Object.entries(files))
    await writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
  return { dirs, devices, spec: ociSpec(user) };
}

let current: readonly string[] = [];
const directories = new SpecDirectories(() => current, silentLog);

async function ours({ dirs, devices, spec }: Question): Promise<{ outcome: Outcome; broken: string[] }> {
  current = dirs;
  const specs = await directories.current();
  const broken = specs.broken.map(({ path }) => path);
  try {
    const found = findDevices(specs, devices);
    const edits = found.map(async (each) => ({ ...each.edits, deviceNodes: await completeNodes(each, { bindsHostNodes: false }) }));
    return { outcome: { spec: withCdiEdits(spec, mergeCdiEdits(await Promise.all(edits))) }, broken };
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return { outcome: { error: error.message }, broken };
  }
}

/** As Go writes it: without what is empty. */
function bare(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, each: unknown) => {
      const isEmpty = each === false || each === '' || each === null || (typeof each === 'object' && Object.keys(each).length === 0);
      return isEmpty ? undefined : each;
    }),
  );
}

/**
 * The library looks for a variable by its whole entry, and so leaves the container's own value in front of its own; newer
 * versions of runc then take the last. Ours has each name once.
 */
function withoutTwins(spec: OciSpec): OciSpec {
  const variables = new Map(spec.process.env.map((entry) => [entry.split('=', 1)[0], entry]));
  return { ...spec, process: { ...spec.process, env: [...variables.values()] } };
}

/** The files that the library could not load. */
function notLoaded({ specErrors = {} }: Outcome): string[] {
  return Object.keys(specErrors).filter((path) => specErrors[path]?.some((words) => words.startsWith('failed to load')));
}

test('each case of the corpus ends as with the upstream library', { skip }, async (t) => {
  const directory = await scratchDirectory(t, 'podwright-cdi');
  const questions = await Promise.all(CORPUS.map(async (each, index) => writeCase(join(directory, String(index)), each)));
  const { stdout } = await execa(built.stdout, { input: JSON.stringify(questions) });
  const answers = JSON.parse(stdout) as Outcome[];
  const counts = { injected: 0, refused: 0 };
  for (const [index, { name }] of CORPUS.entries()) {
    const [question, answer] = [questions[index], answers[index]];
    assert.ok(question !== undefined && answer !== undefined, name);
    const { outcome, broken } = await ours(question);
    const words = `${name}\nlibrary: ${answer.error ?? 'injected'} ${JSON.stringify(answer.specErrors)}\nours: ${outcome.error ?? 'injected'}`;
    assert.deepEqual(broken.sort(), notLoaded(answer).sort(), words);
    if (answer.error === undefined) {
      assert.deepEqual(bare(outcome.spec), bare(withoutTwins(answer.spec ?? question.spec)), words);
      counts.injected += 1;
    } else {
      assert.ok(outcome.error !== undefined, words);
      for (const device of answer.unresolved ?? []) assert.ok(outcome.error.includes(device), words);
      counts.refused += 1;
    }
  }
  assert.ok(counts.injected > 80 && counts.refused > 80, JSON.stringify(counts));
});
