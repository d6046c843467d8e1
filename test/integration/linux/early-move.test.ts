import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { cgroupsOf } from '../../../src/linux/cgroups/detect.ts';
import { hierarchiesOf } from '../../../src/linux/cgroups/hierarchies.ts';
import { readMounts } from '../../../src/linux/mounts.ts';

const SOURCE = join(import.meta.dirname, '../../../src/linux');
/** For each line that it reads: expects a move, and tells which cgroup.procs it has open then, and where it is. */
const PROGRAM = `
  import { readdir, readFile, readlink } from 'node:fs/promises';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { createInterface } from 'node:readline';
  import { detectCgroups } from '${SOURCE}/cgroups/detect.ts';
  const cgroups = await detectCgroups();
  for await (const line of createInterface(process.stdin)) {
    cgroups.expectMove();
    await sleep(200);
    const links = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink('/proc/self/fd/' + fd).catch(() => '')));
    const open = links.filter((path) => path.endsWith('/cgroup.procs'));
    console.log(JSON.stringify({ open, own: (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\\n') }));
  }
`;

test('who expects a move stays in its cgroup, also where somebody has moved it since the last time', async (t) => {
  const mounts = await readMounts();
  const cgroups = cgroupsOf(mounts);
  const { primary } = hierarchiesOf(mounts);
  const top = `/podwright-test-${randomBytes(4).toString('hex')}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => cgroups.killAndRemove(top));
  const lines = createInterface(child.stdout);
  for (const name of ['one', 'one', 'two']) {
    const path = `${top}/${name}`;
    await cgroups.ensure(path);
    await cgroups.move(path, child.pid ?? assert.fail('it has not started'));
    child.stdin.write('\n');
    const [text] = (await once(lines, 'line', { signal: AbortSignal.timeout(30_000) })) as [string];
    const { open, own } = JSON.parse(text) as { open: string[]; own: string[] };
    assert.deepEqual(open, cgroups.version === 'v1' ? [join(primary.directory, path, 'cgroup.procs')] : []);
    assert.deepEqual(new Set(own.map((line) => line.replace(/^.*?:.*?:/, ''))), new Set([path]));
  }
  child.stdin.end();
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});
