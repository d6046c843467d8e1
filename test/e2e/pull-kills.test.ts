/**
 * The daemon is killed at random moments of pulls and removals, alone and side by side, of images of every compression and of an
 * artifact; sometimes the next one is killed in its start too. PODWRIGHT_KILLS says how often (50 for the whole), PODWRIGHT_TEST_SEED when.
 */
// long: 50 s
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProgram } from '../support/find-program.ts';
import { KillLab, makeKillRegistry } from '../support/kills/kill-lab.ts';
import { OPERATIONS } from '../support/kills/operations.ts';
import { SUBJECTS } from '../support/kills/subjects.ts';
import { seededRandom } from '../support/random-messages.ts';
import { noRegistry } from '../support/registry.ts';
import { shared } from '../support/shared.ts';

const KILLS = Number(process.env['PODWRIGHT_KILLS'] ?? 2);
const SEED = Number(process.env['PODWRIGHT_TEST_SEED'] ?? 20_261_126);
/** A kill with all that is looked at takes three seconds of two processors, and a busy machine has a tenth of them. */
const TIMEOUT_MS = 300_000 + KILLS * 30_000;
/** Of all kills: those after which the next daemon is killed in its start. */
const START_KILL_SHARE = 0.3;

const noSkopeo = (await findProgram('skopeo')) === undefined && 'skopeo is not in PATH (Debian package skopeo)';
const skip = noRegistry || noSkopeo;

const registry = shared(
  async () => makeKillRegistry(SEED),
  async (made) => made.registry.stop(),
);

for (const [kept, config] of [
  ['blobs are kept', ''],
  ['blobs are discarded', '[image]\ndiscard_blobs = true\n'],
] as const) {
  test(`kill -9 at ${KILLS} random moments of pulls and removals, where ${kept}: all is right and nothing is orphaned`, { skip, timeout: TIMEOUT_MS }, async (context) => {
    context.diagnostic(`seed ${SEED}`);
    const random = seededRandom(SEED);
    const made = await registry();
    const lab = await KillLab.make(made, config);
    try {
      await lab.learn();
      const first = Math.floor(random() * OPERATIONS.length);
      for (let kill = 0; kill < KILLS; kill += 1) {
        const operation = OPERATIONS[(first + kill) % OPERATIONS.length]!;
        const moment = { ofOperation: random(), ofStart: random() < START_KILL_SHARE ? random() : undefined };
        context.diagnostic(`${kill + 1}. ${await lab.kill(operation, moment)}${moment.ofStart === undefined ? '' : ', and in the next start'}`);
      }
      await lab.prepare(SUBJECTS);
      if (config !== '') assert.ok((await made.registry.asked()).some(({ status }) => status === 206), 'no pull was by chunks');
      await lab.assertSound();
      await lab.assertSeen(SUBJECTS);
      await lab.prepare([]);
    } catch (error) {
      process.stdout.write(await lab.daemon.logTail(40));
      throw error;
    } finally {
      await lab.close();
    }
  }); // prettier-ignore
}
