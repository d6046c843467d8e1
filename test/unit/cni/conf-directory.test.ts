import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLog } from '../../../src/base/log.ts';
import { ConfDirectory } from '../../../src/cni/conf-directory.ts';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { Log } from '../../../src/base/log.ts';

function list(name: string, type = 'bridge'): string {
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [{ type }] });
}

async function directory(t: TestContext, files: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'confs-'));
  t.after(() => remove(dir));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return dir;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const start = performance.now(); performance.now() - start < 3000;) {
    if (condition()) return;
    await pause(20);
  }
  assert.fail(`${what}: not so after 3 s`);
}

test('the first valid file in name order is the default network', async (t) => {
  const dir = await directory(t, {
    '30-z.conflist': list('z'),
    '20-b.conf': JSON.stringify({ name: 'b', type: 'ptp' }),
    '25-c.json': JSON.stringify({ name: 'c', type: 'ptp' }),
    '10-a.conflist': '{"name": "a", ',
    '05-readme.txt': 'not a configuration',
    '07-empty.conflist': JSON.stringify({ name: 'empty', plugins: [] }),
  });
  const lines: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => void lines.push(message) };
  const confs = new ConfDirectory({ dir, log });
  await confs.rescan();
  await confs.rescan();

  assert.equal(confs.current?.conf.name, 'b');
  assert.deepEqual(
    confs.skipped.map(({ file }) => file),
    [join(dir, '07-empty.conflist'), join(dir, '10-a.conflist')],
  );
  assert.equal(lines.length, 2, 'one line for each file, though it was read twice');
  assert.match(lines[1] ?? '', /10-a\.conflist is skipped: must be JSON: /);
});

test('a configured name picks the network; a missing one is said with the names that are there', async (t) => {
  const dir = await directory(t, { '1.conflist': list('one'), '2.conflist': list('two') });
  const two = new ConfDirectory({ dir, log: silentLog, networkName: 'two' });
  const three = new ConfDirectory({ dir, log: silentLog, networkName: 'three' });
  await two.rescan();
  await three.rescan();

  assert.equal(two.current?.file, join(dir, '2.conflist'));
  assert.equal(three.current, undefined);
  assert.equal(three.problem, `no network configuration with the name "three" in ${dir}, it has "one", "two"`);
});

test('plugins in the folder of the network follow the inlined ones, unless the list says no', async (t) => {
  const only = JSON.stringify({ name: 'only', loadOnlyInlinedPlugins: true, plugins: [{ type: 'bridge' }] });
  const dir = await directory(t, { '1.conflist': list('both'), '2.conflist': only });
  for (const network of ['both', 'only']) {
    await mkdir(join(dir, network));
    await writeFile(join(dir, network, '2.conf'), '{"type": "tuning"}');
    await writeFile(join(dir, network, '1.conf'), '{"type": "portmap"}');
  }
  const types = async (networkName: string): Promise<unknown> => {
    const confs = new ConfDirectory({ dir, log: silentLog, networkName });
    await confs.rescan();
    return confs.current?.conf.plugins.map(({ type }) => type);
  };
  assert.deepEqual(await types('both'), ['bridge', 'portmap', 'tuning']);
  assert.deepEqual(await types('only'), ['bridge']);
});

test('a directory that comes later is found, and changes are seen without waiting for the interval', async (t) => {
  const parent = await directory(t, {});
  const dir = join(parent, 'net.d');
  const confs = new ConfDirectory({ dir, log: silentLog, rescanMs: 200 });
  await confs.start();
  t.after(() => {
    confs.close();
  });
  assert.equal(confs.problem, `no network configuration in ${dir}`);

  await mkdir(dir);
  await writeFile(join(dir, '5.conflist'), list('five'));
  await until('the new directory is read', () => confs.current?.conf.name === 'five');
  await writeFile(join(dir, '4.conflist'), list('four'));
  await until('the new file comes first', () => confs.current?.conf.name === 'four');

  await rename(dir, join(parent, 'away'));
  await mkdir(dir);
  await writeFile(join(dir, '9.conflist'), list('nine'));
  await until('the directory that took its place is read', () => confs.current?.conf.name === 'nine');
});

test('the watch alone shows a change', async (t) => {
  const dir = await directory(t, { '5.conflist': list('five') });
  const confs = new ConfDirectory({ dir, log: silentLog, rescanMs: 600_000 });
  await confs.start();
  t.after(() => {
    confs.close();
  });
  const five = confs.current?.conf;
  await writeFile(join(dir, '4.conflist'), list('four'));
  await until('the new file comes first', () => confs.current?.conf.name === 'four');
  await rm(join(dir, '4.conflist'));
  await until('the old one is back', () => confs.current?.conf.name === 'five');
  assert.equal(confs.current?.conf, five, 'an unchanged network stays the same object');
});
