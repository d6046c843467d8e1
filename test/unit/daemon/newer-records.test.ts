import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { outputFile, remove } from 'fs-extra/esm';
import { VERSION } from '../../../src/base/version.ts';
import { defaultSettings } from '../../../src/config/overlay.ts';
import type { Config } from '../../../src/config/schema.ts';
import { noteVersion, refuseNewerRecords } from '../../../src/daemon/newer-records.ts';

async function rootWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<Config> {
  const root = await mkdtemp(join(tmpdir(), 'podwright-records-'));
  t.after(async () => remove(root));
  for (const [path, text] of Object.entries(files)) await outputFile(join(root, path), text);
  return { ...defaultSettings(), cgroupManager: 'cgroupfs', root };
}

test('records of our version and damaged ones are no reason not to start, nor is an empty root', async (t) => {
  await refuseNewerRecords(await rootWith(t, {}));
  await refuseNewerRecords(
    await rootWith(t, {
      'sandboxes/a/record.json': '{"version":1,"data":{}}',
      'sandboxes/a/state.json': '{"version": 1, "da',
      'containers/b/record.json': '',
      'containers/not-a-directory': '{"version":7}',
      'storage/images/c.json': '{"half',
      'storage/layers/d/layer.json': '{"names":[],"version":1}',
      'storage/layers/boot.json': '{"version":7}',
      'cni/attachments/e.result': '{"version":7}',
    }),
  );
});

for (const path of [
  'sandboxes/a/record.json',
  'containers/b/state.json',
  'cni/pending/e.json',
  'storage/images/c.json',
  'storage/layers/d/layer.json',
]) {
  test(`${path} of a later version is a reason, in words that say which version to start`, async (t) => {
    const config = await rootWith(t, { [path]: '{ "version": 3,\n "id": "x" }', 'containers/z/record.json': '{"version":2}' });
    const words = `${join(config.root, path)} (and 1 other records) is of version 3, podwright ${VERSION} reads up to 1. `;
    const other = `${join(config.root, 'containers/z/record.json')} (and 1 other records) is of version 2`;
    const refused = async (who: string): Promise<void> => {
      await assert.rejects(refuseNewerRecords(config), ({ message }: Error) => {
        assert.ok(message.includes(words) || message.includes(other), message);
        assert.ok(
          message.includes(`${who} has worked on this root. Nothing was changed, and pods run on: start that version again.`),
          message,
        );
        return true;
      });
    };
    await refused('A later podwright');
    await outputFile(join(config.root, 'version'), 'podwright 9.8.7, records 1.9\n');
    await refused('podwright 9.8.7');
  });
}

test('a start behind one of the same version does not look at all records again', async (t) => {
  const config = await rootWith(t, {});
  await refuseNewerRecords(config);
  await noteVersion(config);
  const note = await readFile(join(config.root, 'version'), 'utf8');
  assert.match(note, /^podwright \d+\.\d+\.\d+, records 1(\.1)*\n$/);
  await outputFile(join(config.root, 'containers/z/record.json'), '{"version":2}'); // damage: nobody has written that
  await refuseNewerRecords(config);
  await outputFile(join(config.root, 'version'), note.replace('.1\n', '.2\n'));
  await assert.rejects(refuseNewerRecords(config), /is of version 2/);
});
