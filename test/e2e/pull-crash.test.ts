/** The daemon is killed at every mark that a pull passes. */
// long: 90 s
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pullTest } from '../support/pull-lab.ts';

const IMAGE_BYTES = 2 << 20;

/** Marks that a pull must pass, or this file tests nothing. */
const MUST_PASS = [
  'pull.resolved',
  'pull.config-received',
  'pull.layer-created',
  'pull.layer-received',
  'pull.layer-unpacked',
  'pull.synced',
  'pull.blobs-adopted',
  'pull.layer-adopted',
  'image.recorded',
];

pullTest('kill -9 at every mark of PullImage', IMAGE_BYTES, async (lab, context) => {
  const { daemon } = lab;
  const file = join(daemon.directory, 'marks');
  await daemon.restart({ PODWRIGHT_STAGE_LOG: file });
  await rm(file, { force: true });
  await lab.pull();
  const marks = [...new Set((await readFile(file, 'utf8')).split('\n').filter((line) => line !== ''))];
  context.diagnostic(`PullImage passes ${marks.length} marks: ${marks.join(', ')}`);
  for (const mark of MUST_PASS) assert.ok(marks.includes(mark), `PullImage does not pass the mark ${mark}`);
  await lab.remove();

  for (const mark of marks) {
    await context.test(`killed at ${mark}`, async () => {
      await daemon.restart({ PODWRIGHT_KILL_AT: mark });
      await assert.rejects(lab.pull(), `the pull did not pass ${mark}`);
      await daemon.ended();
      await daemon.start();
      const found = await lab.settle();
      assert.equal(found, mark === 'image.recorded' ? 'whole' : 'absent');
      await lab.pullCheckRemove();
    });
  }
});
