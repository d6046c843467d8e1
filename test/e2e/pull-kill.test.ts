/** The daemon is killed at random moments of a large pull. What follows is right, byte by byte. */
// long: 160 s
import { setTimeout as sleep } from 'node:timers/promises';
import { pullTest } from '../support/pull-lab.ts';

const IMAGE_BYTES = 300 << 20;
const KILLS = 20;

pullTest(`kill -9 at ${KILLS} random moments of a pull of 300 MB`, IMAGE_BYTES, async (lab, context) => {
  const { daemon } = lab;
  const started = performance.now();
  await lab.pull();
  const durationMs = performance.now() - started;
  await lab.check();
  await lab.remove();
  context.diagnostic(`a pull takes ${Math.round(durationMs)} ms`);
  for (let round = 1; round <= KILLS; round += 1) {
    const momentMs = Math.random() * durationMs;
    const pulling = lab.pull().catch(() => undefined);
    await sleep(momentMs);
    await daemon.kill9();
    await pulling;
    await daemon.start();
    context.diagnostic(`kill ${round} after ${Math.round(momentMs)} ms: the image is ${await lab.settle()}`);
    await lab.pullCheckRemove();
  }
});
