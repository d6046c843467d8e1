import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Cgroups } from '../../../src/linux/cgroups/cgroups.ts';
import { cgroupsOf } from '../../../src/linux/cgroups/detect.ts';
import { hierarchiesOf } from '../../../src/linux/cgroups/hierarchies.ts';
import { readMounts } from '../../../src/linux/mounts.ts';
import { statOfProcess } from '../../../src/linux/proc-stat.ts';
import { spawn } from '../../../src/linux/spawn.ts';
import type { Child } from '../../../src/linux/spawn.ts';

const mounts = await readMounts();
const ROOT = `/podwright-test-${randomBytes(4).toString('hex')}`;
// On a hybrid node the unified tree alone stands for a node of version 2, as far as its controllers go.
const unifiedOnly = mounts.filter(({ type }) => type === 'cgroup2');
const node = cgroupsOf(mounts);
const nodes = {
  'the node': { cgroups: node, trees: hierarchiesOf(mounts) },
  ...(node.version === 'v1' && unifiedOnly.length > 0
    ? { 'cgroup2 alone': { cgroups: cgroupsOf(unifiedOnly), trees: hierarchiesOf(unifiedOnly) } }
    : {}),
};
type Trees = ReturnType<typeof hierarchiesOf>;

/** A cgroup for one test, removed with what is in it. */
function cgroupFor(t: TestContext, cgroups: Cgroups, name: string): string {
  const path = `${ROOT}/${name}`;
  t.after(async () => {
    await cgroups.kill(path);
    await cgroups.remove(ROOT);
  });
  return path;
}

/** A shell that waits for a line on stdin before it runs `script`, so that it can be moved first. */
function waiting(script: string): Child {
  return spawn('sh', { args: ['-c', `read go; ${script}`], stdio: ['pipe'], newSession: true });
}

async function startIn(cgroups: Cgroups, path: string, script: string): Promise<Child> {
  const child = waiting(script);
  await cgroups.move(path, child.pid);
  child.pipes[0]?.end('go\n');
  return child;
}

/** The directory of a cgroup that has the files of the memory controller. */
function memoryDirectory({ version, hierarchies, primary }: Trees, path: string): string {
  const tree = version === 'v2' ? primary : hierarchies.find(({ controllers }) => controllers.includes('memory'));
  return join(tree?.directory ?? assert.fail('no memory controller'), path);
}

/** The stand-in tree may lack the controller that the node itself has elsewhere. */
async function countsMemory(trees: Trees): Promise<boolean> {
  return trees.version === 'v1' || (await readFile(join(memoryDirectory(trees, '/'), 'cgroup.controllers'), 'utf8')).includes('memory');
}

/** The cgroups below a path, at any depth, in any tree, sorted. */
async function cgroupsBelow({ hierarchies }: Trees, path: string): Promise<string[]> {
  const found = await Promise.all(
    hierarchies.map(async ({ directory }) => {
      const entries = await readdir(join(directory, path), { withFileTypes: true, recursive: true }).catch(() => []);
      return entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(directory.length));
    }),
  );
  return [...new Set(found.flat())].sort();
}

for (const [name, { cgroups, trees }] of Object.entries(nodes)) {
  describe(name, () => {
    test('ensure makes a cgroup everywhere once, and says whether it was there', async (t) => {
      const path = cgroupFor(t, cgroups, 'pod/one');
      assert.equal(await cgroups.exists(path), false);
      assert.equal(await cgroups.ensure(path), true);
      assert.equal(await cgroups.ensure(path), false);
      assert.equal(await cgroups.ensure(`${ROOT}/pod`), false);
      assert.equal(await cgroups.exists(path), true);
      await cgroups.ensure(`${ROOT}/pod2`);
      assert.deepEqual(await cgroupsBelow(trees, ROOT), [`${ROOT}/pod`, path, `${ROOT}/pod2`]);
      assert.deepEqual(await cgroupsBelow(trees, `${ROOT}/none`), []);
      const named = (await cgroups.named('od')).filter((each) => each.startsWith(`${ROOT}/`));
      assert.deepEqual(named.sort(), [`${ROOT}/pod`, `${ROOT}/pod2`]);
    });

    test('move puts a process into the cgroup of every controller', async (t) => {
      const path = cgroupFor(t, cgroups, 'move');
      await cgroups.ensure(path);
      const child = await startIn(cgroups, path, 'sleep 100');
      const lines = (await readFile(`/proc/${child.pid}/cgroup`, 'utf8')).trim().split('\n');
      const relevant = cgroups === node ? lines : lines.filter((line) => line.startsWith('0::'));
      assert.deepEqual(
        relevant.filter((line) => !line.endsWith(`:${path}`)),
        [],
      );
      assert.ok((await cgroups.processes(path)).includes(child.pid));
      assert.ok((await cgroups.processes(ROOT)).includes(child.pid), 'what is below counts');
      await assert.rejects(cgroups.move(`${ROOT}/none`, child.pid), { code: 'ENOENT' });
      await cgroups.kill(path);
      await child.exit;
      await assert.rejects(cgroups.move(path, child.pid), { code: 'ESRCH' });
    });

    test('kill takes all, below too, and what forks meanwhile', async (t) => {
      const path = cgroupFor(t, cgroups, 'kill');
      // Processes only in leaves, as version 2 wants it.
      await cgroups.ensure(`${path}/a`);
      await cgroups.ensure(`${path}/b/below`);
      const children = [
        await startIn(cgroups, `${path}/a`, 'while true; do sleep 0.01 & done'),
        await startIn(cgroups, `${path}/b/below`, "trap '' TERM; setsid sleep 100 & wait"),
      ];
      const end = performance.now() + 20_000;
      for (let pids = await cgroups.processes(path); pids.length < 5; pids = await cgroups.processes(path))
        assert.ok(performance.now() < end, `only ${pids.join(', ')} run`);
      await cgroups.kill(path);
      assert.deepEqual(await cgroups.processes(path), []);
      for (const child of children) assert.deepEqual(await child.exit, { signal: 9 });
      await cgroups.kill(`${ROOT}/none`);
      await cgroups.remove(path);
    });

    test('kill and remove refuse the root, names with dots, and our own cgroup', async () => {
      for (const path of ['/', '', '//']) {
        await assert.rejects(cgroups.kill(path), /must be one below/);
        await assert.rejects(cgroups.remove(path), /must be one below/);
      }
      await assert.rejects(cgroups.remove('/a/../b'), { kind: 'InvalidArgument' });
    });

    test('remove takes a tree and is fine with none; it refuses one that is in use', { timeout: 20_000 }, async (t) => {
      const path = cgroupFor(t, cgroups, 'remove');
      await cgroups.ensure(`${path}/a/b`);
      await cgroups.ensure(`${path}/c`);
      const child = await startIn(cgroups, `${path}/a/b`, 'sleep 100');
      await assert.rejects(cgroups.remove(path), { code: 'EBUSY' });
      assert.equal((await statOfProcess(child.pid))?.state === 'Z', false, 'nobody was killed');
      process.kill(child.pid, 'SIGKILL');
      await cgroups.kill(path);
      await child.exit;
      await cgroups.remove(path);
      await cgroups.remove(path);
      assert.deepEqual(await cgroupsBelow(trees, ROOT), []);
    });

    test('remove, where one tree is in use, names its directory and takes the cgroup out of all others', { timeout: 20_000 }, async (t) => {
      const path = cgroupFor(t, cgroups, 'partly');
      await cgroups.ensure(`${path}/in-use`);
      const child = waiting('exit');
      const { directory } = trees.primary;
      await writeFile(join(directory, path, 'in-use/cgroup.procs'), String(child.pid));
      await assert.rejects(cgroups.remove(path), { code: 'EBUSY', path: join(directory, path, 'in-use') });
      for (const tree of trees.hierarchies) {
        const isThere = await readdir(join(tree.directory, path)).then(() => true, () => false); // prettier-ignore
        assert.equal(isThere, tree.directory === directory, tree.directory);
      }
      child.pipes[0]?.end('go\n');
      await child.exit;
      await cgroups.remove(path);
      assert.deepEqual(await cgroupsBelow(trees, ROOT), []);
    });

    test('killAndRemove takes a cgroup with what is in it and below, or without any, and is fine with none', async (t) => {
      const path = cgroupFor(t, cgroups, 'all');
      await cgroups.ensure(`${path}/a/b`);
      await cgroups.killAndRemove(`${path}/a`);
      assert.deepEqual(await cgroupsBelow(trees, ROOT), [path]);
      await cgroups.ensure(`${path}/a/b`);
      const child = await startIn(cgroups, `${path}/a/b`, 'while true; do sleep 0.01 & done');
      await cgroups.killAndRemove(path);
      assert.deepEqual(await child.exit, { signal: 9 });
      await cgroups.killAndRemove(path);
      assert.deepEqual(await cgroupsBelow(trees, ROOT), []);
      await assert.rejects(cgroups.killAndRemove('/'), /must be one below/);
    });

    test('ensure refuses a name that is a file of the parent', async (t) => {
      const path = cgroupFor(t, cgroups, 'parent');
      await cgroups.ensure(path);
      await assert.rejects(cgroups.ensure(`${path}/cgroup.procs`), { code: 'ENOTDIR' });
      await assert.rejects(cgroups.ensure(`${path}/cgroup.procs/below`), { code: 'ENOTDIR' });
    });

    test('oomKills counts what the kernel killed, below too', async (t) => {
      if (cgroups !== node && !(await countsMemory(trees))) return;
      const path = cgroupFor(t, cgroups, 'oom');
      await cgroups.ensure(`${path}/container`);
      assert.equal(await cgroups.oomKills(path), 0);
      const memory = memoryDirectory(trees, `${path}/container`);
      await writeFile(join(memory, cgroups.version === 'v2' ? 'memory.max' : 'memory.limit_in_bytes'), String(15 * 1024 * 1024));
      const child = await startIn(cgroups, `${path}/container`, 'exec tail /dev/zero');
      assert.deepEqual(await child.exit, { signal: 9 });
      assert.equal(await cgroups.oomKills(`${path}/container`), 1);
      assert.equal(await cgroups.oomKills(path), 1);
      const gone = async (...names: string[]): Promise<number | undefined> => (await cgroups.goneOomKills(path, new Set(names)))?.kills;
      const counted = (kills: number): number | undefined => (cgroups.version === 'v2' ? kills : undefined);
      assert.deepEqual([await gone(), await gone('container')], [counted(0), counted(1)]);
      await cgroups.remove(`${path}/container`);
      assert.equal(await gone(), counted(1));
      await cgroups.remove(path);
      assert.equal(await gone(), undefined);
      assert.equal(await cgroups.oomKills(path), undefined);
    });

    test('a cpuset made here takes processes at once (version 1 starts it empty)', async (t) => {
      const path = cgroupFor(t, cgroups, 'deep/er/cpuset');
      await cgroups.ensure(path);
      const child = await startIn(cgroups, path, 'exit 3');
      assert.deepEqual(await child.exit, { code: 3 });
    });
  });
}
