/** What a daemon with 100 containers takes of a processor while it is scraped, and traced, and otherwise left alone. */
// alone: it measures processor time.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { readMetrics, valueOf } from '../support/metrics.ts';
import { runContainer, runPod } from '../support/pods.ts';

const PODS = 20;
const CONTAINERS_OF_POD = 5;
const SCRAPE_EVERY_MS = 10_000;
const SCRAPES = 4;
const REST_MS = 5_000;
/** Of a processor. */
const MOST = 0.01;
/** Of /proc/PID/stat: USER_HZ, which is 100 wherever Linux runs. */
const TICKS_PER_SECOND = 100;

async function processorSeconds({ pid }: TestDaemon): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

e2eTest(
  'with 100 containers, a scrape each 10 s and traces, the daemon takes under 1 % of a processor',
  async (daemon, context) => {
    for (let n = 0; n < PODS; n += 1) {
      const pod = await runPod(daemon);
      const names = Array.from({ length: CONTAINERS_OF_POD }, (_, index) => `c${index}`);
      await Promise.all(names.map(async (name) => runContainer(daemon, pod, ['sleep', '10000'], { name })));
    }
    await sleep(REST_MS);

    const [beganMs, before] = [performance.now(), await processorSeconds(daemon)];
    let text = '';
    let scrapeMs = 0;
    for (let n = 0; n < SCRAPES; n += 1) {
      const startedMs = performance.now();
      text = await readMetrics(daemon);
      scrapeMs = Math.max(scrapeMs, performance.now() - startedMs);
      await sleep(SCRAPE_EVERY_MS);
    }
    const share = ((await processorSeconds(daemon)) - before) / ((performance.now() - beganMs) / 1000);

    const words = `${(100 * share).toFixed(2)} % of a processor; a page of ${text.length} bytes, the slowest in ${scrapeMs.toFixed(0)} ms`;
    context.diagnostic(words);
    console.log(words);
    assert.equal(valueOf(text, 'podwright_containers{state="Running"}'), PODS * CONTAINERS_OF_POD);
    assert.ok(share < MOST, words);
  },
  {
    timeoutMs: 600_000,
    env: { PODWRIGHT_FROM_SOURCE: '', PODWRIGHT_DIST: '' },
    // Nobody listens there: the worst that can be configured.
    config: '[tracing]\nendpoint = "http://127.0.0.1:9"\nsampling_rate_per_million = 1000000\n',
  },
);
