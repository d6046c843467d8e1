import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { findProgram } from '../../support/find-program.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const PROGRAM = join(import.meta.dirname, '../../../bin/podwright');
const ENVIRONMENT = process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {};
const skip = (await findProgram('groff')) === undefined ? 'groff is not here' : false;

test('groff sets every page without a warning, and each option and key is on it', { skip }, async (t) => {
  const directory = await scratchDirectory(t);
  const { stdout } = await execa(PROGRAM, ['man', '--output', directory], { env: ENVIRONMENT });
  const files = stdout.split('\n');

  assert.deepEqual((await readdir(join(directory, 'man5'))).sort(), ['podwright.toml.5']);
  assert.ok(files.length > 25 && files.includes(join(directory, 'man8/podwright-image-pull.8')), stdout);
  for (const file of files) {
    const set = await execa('groff', ['-ww', '-man', '-Tutf8', file], { env: { GROFF_NO_SGR: '1' } });
    assert.equal(set.stderr, '', file);
  }
  const page = async (file: string): Promise<string> => {
    const set = await execa('groff', ['-man', '-Tascii', '-P-bcou', join(directory, file)]);
    return set.stdout;
  };
  const save = await page('man8/podwright-image-save.8');
  assert.match(save, /podwright image save \[options\] <REF\.\.\.>/);
  assert.match(save, /--format <FORMAT>\s+The layout of the archive\.\s+Default: oci\.\s+One of oci, docker\./);
  const toml = await page('man5/podwright.toml.5');
  const markdown = await readFile(join(import.meta.dirname, '../../../docs/config.md'), 'utf8');
  const keys = [...markdown.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, key = '']) => key);
  assert.ok(keys.length > 80);
  const words = toml.replaceAll(/\s+/g, ''); // a long key may be broken behind a dot
  for (const key of keys) assert.ok(words.includes(key), key);
});

test('man prints one page, and refuses one that there is not', async () => {
  const man = async (...words: string[]) => execa(PROGRAM, ['man', ...words], { env: ENVIRONMENT, reject: false });

  const pages = await Promise.all([man('image', 'pull'), man('podwright.toml(5)'), man()]);
  assert.deepEqual(
    pages.map(({ stdout }) => stdout.split(' ""')[0]),
    ['.TH "PODWRIGHT\\-IMAGE\\-PULL" 8', '.TH "PODWRIGHT.TOML" 5', '.TH "PODWRIGHT" 8'],
  );
  const none = await man('image', 'steal');
  assert.deepEqual([none.exitCode, none.stdout], [2, '']);
  assert.match(none.stderr, /man: is "image steal", must be one of podwright, podwright-serve, /);
});
