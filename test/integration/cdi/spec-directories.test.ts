import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { silentLog, type Log } from '../../../src/base/log.ts';
import { SpecDirectories } from '../../../src/cdi/spec-directories.ts';
import { scratchDirectory } from '../../support/scratch.ts';

interface Lab {
  readonly directory: string;
  readonly specs: SpecDirectories;
  readonly warnings: string[];
  write(name: string, text: string): Promise<string>;
}

const HOLD_LEASE = join(import.meta.dirname, '../../fixtures/hold-lease.ts');

async function makeLab(t: TestContext, readMs?: number): Promise<Lab> {
  const directory = await scratchDirectory(t, 'podwright-cdi');
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => void warnings.push(message) };
  const specs = new SpecDirectories(() => [join(directory, '0'), join(directory, '1')], log, readMs);
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  return { directory, specs, warnings, write };
}

const text = (value: string): string =>
  JSON.stringify({ cdiVersion: '0.3.0', kind: 'vendor.com/gpu', devices: [{ name: 'a', containerEdits: { env: [`A=${value}`] } }] });

test('files are seen as they come, change and go; one that has not changed is not read again', async (t) => {
  const { directory, specs, warnings, write } = await makeLab(t);
  assert.deepEqual((await specs.current()).files, []);
  await mkdir(join(directory, '1'));
  const path = await write('1/a.json', text('1'));
  const [first] = (await specs.current()).files;
  assert.deepEqual([first?.path, first?.priority, first?.spec.devices[0]?.containerEdits.env], [path, 1, ['A=1']]);
  assert.equal((await specs.current()).files[0]?.spec, first?.spec);
  await write('1/a.json', text('2'));
  assert.deepEqual((await specs.current()).files[0]?.spec.devices[0]?.containerEdits.env, ['A=2']);
  await rm(path);
  assert.deepEqual((await specs.current()).files, []);
  assert.deepEqual(warnings, []);
});

test(
  'what cannot be used is named, with one line in the log until it changes',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const { directory, specs, warnings, write } = await makeLab(t);
    await mkdir(join(directory, '0'));
    await write('1', 'a file in place of the directory');
    const broken = await write('0/broken.yaml', 'kind: vendor.com/gpu\n');
    await execa('mkfifo', [join(directory, '0/pipe.yaml')]);
    await symlink('nowhere', join(directory, '0/link.json'));
    await mkdir(join(directory, '0/directory.json'));
    await write('0/text.txt', 'not a spec');
    await write('0/fine.json', text('1'));
    for (let look = 0; look < 3; look++) {
      const { files, broken: left } = await specs.current();
      assert.deepEqual(files.map(({ path }) => path), [join(directory, '0/fine.json')]); // prettier-ignore
      assert.deepEqual(left.map(({ path, kind }) => [path, kind]), [[join(directory, '1'), undefined], [broken, 'vendor.com/gpu'], [join(directory, '0/pipe.yaml'), undefined]]); // prettier-ignore
    }
    assert.deepEqual(warnings.length, 3, warnings.join('\n'));
    assert.match(warnings[1] ?? '', /broken\.yaml is not used: cdiVersion: must be one of/);
    await write('0/broken.yaml', 'kind: vendor.com/gpu\ncdiVersion: 0.3.0\n');
    await specs.current();
    assert.match(warnings[3] ?? '', /broken\.yaml is not used: devices: must be a list of at least one/);
  },
);

test('ten questions at once see the same, also while files change', async (t) => {
  const { directory, specs, write } = await makeLab(t);
  await mkdir(join(directory, '0'));
  for (let round = 0; round < 5; round++) {
    await write('0/a.json', text(String(round)));
    const answers = await Promise.all(Array.from({ length: 10 }, async () => specs.current()));
    for (const { files } of answers) assert.deepEqual(files[0]?.spec.devices[0]?.containerEdits.env, [`A=${round}`]);
  }
});

test('a file that hangs is named after its time, keeps one thread and no other directory, and is read when it answers', async (t) => {
  const { directory, specs, warnings, write } = await makeLab(t, 1500);
  for (const name of ['0', '1']) await mkdir(join(directory, name));
  const hung = await write('0/a.json', text('hung'));
  const beside = await write('0/b.json', text('beside'));
  const other = await write('1/c.json', text('other'));
  const holder = spawn(process.execPath, [HOLD_LEASE, hung], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data', { signal: AbortSignal.timeout(10_000) });

  const threads = async (): Promise<number> => (await readdir('/proc/self/task')).length;
  const found = await specs.current();
  assert.deepEqual(found.files.map(({ path }) => path), [other]); // prettier-ignore
  const errors = [
    { path: hung, error: 'it cannot be read within 1.5 s, its file system may hang', mayPass: true },
    { path: beside, error: `it is not read while ${hung} hangs`, mayPass: true },
  ];
  assert.deepEqual(found.broken, errors);
  const before = await threads();
  const startedMs = Date.now();
  for (let look = 0; look < 3; look += 1) assert.deepEqual((await specs.current()).broken, errors);
  assert.ok(Date.now() - startedMs < 1500, 'a file that hangs is not waited for again');
  assert.ok((await threads()) <= before);
  assert.equal(warnings.length, 2, warnings.join('\n'));

  holder.stdin.end();
  await once(holder, 'exit');
  const end = Date.now() + 10_000;
  while ((await specs.current()).files.length < 3) {
    assert.ok(Date.now() < end, JSON.stringify((await specs.current()).broken));
    await sleep(50);
  }
});
