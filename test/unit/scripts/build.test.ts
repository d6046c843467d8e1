import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { ensureDir, remove } from 'fs-extra/esm';
import { bundle } from '../../../scripts/build.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');

test('bundle() makes a daemon and a client that run, without the marks of the crash tests', async (t) => {
  const cache = join(REPOSITORY, 'node_modules/.cache'); // in the repository: the bundle loads koffi from node_modules
  await ensureDir(cache);
  const outdir = await mkdtemp(join(cache, 'build-'));
  t.after(() => remove(outdir));

  await bundle(outdir);

  const scripts = (await readdir(outdir)).filter((file) => file.endsWith('.js'));
  assert.deepEqual(scripts.filter((file) => !file.startsWith('client-')).sort(), [
    'additional-store-worker.js',
    'client.js',
    'cluster-client.js',
    'kernel-worker.js',
    'otlp.js',
    'podwright.js',
    'spec-worker.js',
    'storage-worker.js',
  ]);
  for (const script of scripts) assert.doesNotMatch(await readFile(join(outdir, script), 'utf8'), /PODWRIGHT_(KILL_AT|STAGE)/);
  const daemon = await readFile(join(outdir, 'podwright.js'), 'utf8');
  const exporter = /OTLPTraceExporter/;
  assert.match(await readFile(join(outdir, 'otlp.js'), 'utf8'), exporter);
  assert.doesNotMatch(daemon, exporter, 'it is loaded where nobody has asked for it');
  const [notAscii] = /.{0,40}[^\p{ASCII}].{0,40}/u.exec(daemon) ?? [];
  assert.equal(notAscii, undefined, 'where one character is not ASCII, all of the text is kept in two bytes for each');
  const client = await readFile(join(outdir, 'client.js'), 'utf8');
  for (const heavy of ['@grpc/grpc-js', 'undici', 'ws/', 'koffi']) {
    assert.ok(!client.includes(`node_modules/${heavy}`), `${heavy} is loaded by commands that have no use for it`);
  }
  for (const script of scripts)
    assert.doesNotMatch(
      await readFile(join(outdir, script), 'utf8'),
      /\bfrom ?"node:(?!module")/,
      'with some of them Node loads its fetch',
    );
  for (const program of ['podwright.js', 'client.js']) {
    const { stdout } = await execa(process.execPath, [join(outdir, program), '--version']);
    assert.match(stdout, /^podwright \d/);
  }
});
