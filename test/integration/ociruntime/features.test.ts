import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { RuntimeHandlers } from '../../../src/ociruntime/runtime-handlers.ts';
import { FaultyRuntime } from '../../support/faulty-runtime.ts';
import { collectingLog } from '../../support/networks.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** More than the 2 s that all have together, less than two after each other. */
const START_MS = 3_500;

test('runtimes that hang at features hold up a start for two seconds together, have no feature, and are told of', async (t) => {
  const faulty = await FaultyRuntime.install();
  t.after(async () => faulty.remove());
  await faulty.set('features', 'hangs');
  const root = await scratchDirectory(t);
  const runtimeAt = (name: string, path: string): [string, OciRuntime] => [
    name,
    new OciRuntime({ name, path, root, systemdCgroup: false, environment: { PATH: process.env['PATH'] ?? '' } }),
  ];
  const well = process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc';
  const handlers = new RuntimeHandlers(
    'well',
    new Map([runtimeAt('hung', faulty.path), runtimeAt('hung-too', faulty.path), runtimeAt('well', well)]),
  );
  const { log, lines } = collectingLog();
  const begun = performance.now();
  await handlers.probe(log);
  const ms = Math.round(performance.now() - begun);

  assert.ok(ms < START_MS, `took ${ms} ms`);
  assert.equal(
    lines.filter((line) => /runtime handler hung(-too)?: .* cannot be asked for its features/.test(line)).length,
    2,
    lines.join('\n'),
  );
  assert.deepEqual(new Set(Object.values(handlers.features('hung'))), new Set([false]));
  assert.equal(handlers.features('well').recursiveReadOnlyMounts, true);
});

test('a runtime that did not answer at the start is asked until it does, and its handler has its features then', async (t) => {
  const faulty = await FaultyRuntime.install();
  t.after(async () => faulty.remove());
  await faulty.set('features', 'is-slow');
  const root = await scratchDirectory(t);
  const environment = { PATH: process.env['PATH'] ?? '' };
  const gone = new OciRuntime({ name: 'gone', path: join(root, 'gone'), root, systemdCgroup: false, environment });
  const slow = new OciRuntime({ name: 'slow', path: faulty.path, root, systemdCgroup: false, environment });
  const handlers = new RuntimeHandlers('slow', new Map([['slow', slow], ['gone', gone]])); // prettier-ignore
  const { log } = collectingLog();
  await handlers.probe(log);
  assert.equal(handlers.features('slow').recursiveReadOnlyMounts, false, 'it takes four seconds');
  assert.equal(handlers.lacksForCheckpoints('slow'), undefined);

  const ending = new AbortController();
  t.after(() => {
    ending.abort();
  });
  const asking = handlers.askAgain(log, ending.signal, 100);
  const end = Date.now() + 30_000;
  while (!handlers.features('slow').recursiveReadOnlyMounts && Date.now() < end) await setTimeout(50);
  assert.equal(handlers.features('slow').recursiveReadOnlyMounts, true);
  ending.abort();
  await asking; // the other one is not asked any more
});
