import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { readJson, writeJson } from 'fs-extra/esm';
import { run } from '../../src/linux/spawn.ts';
import { bindMount } from './mounts.ts';
import { scratchDirectory } from './scratch.ts';

/** A container of this machine's runc, for tests of what lies below ociruntime: its root is the machine's, read-only. */
export interface TestBundle {
  readonly directory: string;
  readonly id: string;
  /** `--root` of runc, kept in the scratch directory. */
  readonly runtimeRoot: string;
  runc(args: readonly string[]): ReturnType<typeof run>;
}

/** Writes a bundle for `args`; the container is removed at the test's end. */
export async function makeBundle(t: TestContext, args: readonly string[], options: { terminal?: boolean } = {}): Promise<TestBundle> {
  const id = `podwright-test-${randomBytes(6).toString('hex')}`;
  let runtimeRoot = '';
  const runc = (more: readonly string[]): ReturnType<typeof run> =>
    run('runc', { args: ['--root', runtimeRoot, ...more], timeoutMs: 20_000 });
  // Before the directory's own clean-up, which would take what runc knows about the container: hooks run in this order.
  t.after(async () => {
    if (runtimeRoot !== '') await runc(['delete', '--force', id]);
  });
  const directory = await scratchDirectory(t);
  runtimeRoot = join(directory, 'runc');
  await mkdir(join(directory, 'rootfs'));
  bindMount('/', join(directory, 'rootfs'), { readOnly: true });
  await run('runc', { args: ['spec', '--bundle', directory], timeoutMs: 20_000 });
  const spec = (await readJson(join(directory, 'config.json'))) as {
    process: Record<string, unknown>;
    linux: Record<string, unknown>;
  };
  spec.process['args'] = args;
  spec.process['terminal'] = options.terminal === true;
  spec.linux['cgroupsPath'] = `/${id}`;
  await writeJson(join(directory, 'config.json'), spec);
  return { directory, id, runtimeRoot, runc };
}

/** Starts `sleep` in a container, detached. */
export async function startContainer(t: TestContext): Promise<TestBundle> {
  const bundle = await makeBundle(t, ['sleep', '1000']);
  const { exit, stderr } = await run('runc', {
    args: ['--root', bundle.runtimeRoot, 'run', '--detach', '--bundle', bundle.directory, bundle.id],
    timeoutMs: 20_000,
    drainMs: 0,
  });
  assert.deepEqual(exit, { code: 0 }, stderr.toString());
  return bundle;
}
