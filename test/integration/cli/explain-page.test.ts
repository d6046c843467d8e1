import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ExplainedStep } from '../../../src/base/explanation.ts';
import { pageHtml, type Page } from '../../../src/cli/explain-page.ts';
import { BROWSER, openPage } from '../../support/browser.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">"&\'';
const REST = { number: 1, about: {}, facts: {}, left: 0, startedAt: '2026-11-26T12:00:00.000Z' };
const PLUGIN = `${'a-plugin-with-a-very-long-name'.repeat(3)} of pods, ADD`;

function step(name: string, startedMs: number, durationMs: number, more: Partial<ExplainedStep> = {}): ExplainedStep {
  return { name, words: '', detail: '', parent: -1, startedMs, durationMs, isUnderWay: false, ...more };
}

const PAGE: Page = {
  title: `pod shop/${HOSTILE}`,
  advice: [{ words: `a plugin says ${HOSTILE}`, lookAt: 'the plugin' }],
  parts: [
    {
      title: `pod shop/${HOSTILE}`,
      facts: [
        ['id', '3f2a9c4d'.repeat(8)],
        ['state', 'Ready'],
      ],
      operations: [
        {
          ...REST,
          what: 'run pod sandbox',
          durationMs: 2000,
          isUnderWay: false,
          rpc: 'RunPodSandbox',
          requestId: '3fa2b1c4',
          error: HOSTILE,
          steps: [
            step('pin namespaces', 0, 500),
            step('attach network', 500, 1500),
            step('run CNI plugin', 500, 1000, { detail: PLUGIN, parent: 1, error: HOSTILE }),
          ],
          notes: [{ atMs: 1000, parent: 2, words: HOSTILE }],
          waits: [],
        },
        {
          ...REST,
          what: 'pull image',
          durationMs: 10_000,
          isUnderWay: true,
          steps: [step('fetch layer', 2500, 7500, { detail: 'sha256:0123 from mirror.example', isUnderWay: true })],
          notes: [],
          waits: [{ step: 0, since: '', what: 'receiving one layer', words: `${HOSTILE} ${'x'.repeat(300)}` }],
        },
      ],
    },
  ],
};

interface Drawn {
  readonly startMs: number;
  readonly ms: number;
  /** Parts of its track. */
  readonly left: number;
  readonly width: number;
}

const BARS = `[...document.querySelectorAll('.step .bar')].map((bar) => {
  const [own, track] = [bar.getBoundingClientRect(), bar.parentElement.getBoundingClientRect()];
  return { startMs: Number(bar.dataset.startMs), ms: Number(bar.dataset.ms), left: (own.left - track.left) / track.width, width: own.width / track.width };
})`;

/** Texts that lie over each other, or that go out of the window. */
const CLASHES = `(() => {
  const boxes = [...document.querySelectorAll('h1, h2, dt, dd, .advice p, h3 > *, .name, .time, pre')].map((each) => [each, each.getBoundingClientRect()]);
  const found = boxes.filter(([, box]) => box.right > innerWidth + 1 || box.left < -1).map(([each]) => 'outside: ' + each.textContent);
  for (const [index, [one, a]] of boxes.entries())
    for (const [other, b] of boxes.slice(index + 1))
      if (!one.contains(other) && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        found.push(one.textContent + ' over ' + other.textContent);
  return found;
})()`;

const skip = existsSync(BROWSER) ? false : `there is no ${BROWSER}`;

for (const width of [1280, 400]) {
  test(`the page is drawn to scale and readable at ${width} pixels`, { skip }, async (t) => {
    const file = join(await scratchDirectory(t), 'page.html');
    await writeFile(file, pageHtml(PAGE));
    const page = await openPage(t, pathToFileURL(file).href, { width, height: 900 });
    const bars = await page.evaluate<Drawn[]>(BARS);
    assert.deepEqual(bars.map(({ startMs, ms }) => [startMs, ms]), [[0, 500], [500, 1500], [500, 1000], [2500, 7500]]); // prettier-ignore
    const lengths = [2000, 2000, 2000, 10_000];
    for (const [index, { startMs, ms, left, width: drawn }] of bars.entries()) {
      const length = lengths[index]!;
      assert.ok(Math.abs(left - startMs / length) < 0.01 && Math.abs(drawn - ms / length) < 0.01, `bar ${index}: ${left}, ${drawn}`);
    }
    assert.deepEqual(await page.evaluate(CLASHES), []);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
    const [title, scripts, images] = await page.evaluate<[string, number, number]>(
      `[document.title, document.scripts.length, document.images.length]`,
    );
    assert.deepEqual([title, scripts, images], [PAGE.title, 0, 0]);
    assert.ok((await page.screenshot()).length > 10_000);
  });
}
