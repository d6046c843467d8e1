import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import { LiveConfig } from '../../../src/config/live-config.ts';

async function liveConfig(t: TestContext, text: string): Promise<{ live: LiveConfig; write: (text: string) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'podwright-config-'));
  t.after(() => remove(folder));
  await mkdir(join(folder, 'conf.d'));
  const write = (next: string): Promise<void> => writeFile(join(folder, 'c.toml'), next);
  await write(text);
  return { live: await LiveConfig.load({ file: join(folder, 'c.toml'), directory: join(folder, 'conf.d') }), write };
}

test('LiveConfig.read() changes nothing before it is used; then reloadable keys are in force, and the others told', async (t) => {
  const { live, write } = await liveConfig(t, 'root = "/a"\nlog.level = "info"\npids_limit = 1');
  await write('root = "/b"\nlog.level = "debug"\npids_limit = 1');

  const { config, changes, use } = await live.read();

  assert.deepEqual([live.current.root, live.current.log.level], ['/a', 'info']);
  use();
  assert.equal(live.current, config);
  assert.deepEqual(changes, [
    { key: 'root', before: '/a', after: '/b', applied: false },
    { key: 'log.level', before: 'info', after: 'debug', applied: true },
  ]);
  assert.deepEqual([live.current.root, live.current.log.level], ['/a', 'debug']);
});

test('LiveConfig.read() keeps the old configuration when the new one is wrong', async (t) => {
  const { live, write } = await liveConfig(t, 'log.level = "info"');
  const before = live.current;
  await write('log.level = "debug"\nnothing = 1');

  await assert.rejects(live.read(), /c\.toml: nothing: unknown key/);

  assert.equal(live.current, before);
});

test('a key of a handler that is reloadable changes; a handler that comes or goes waits for a restart', async (t) => {
  const { live, write } = await liveConfig(t, 'runtime.handlers.a.allowed_annotations = []\nruntime.handlers.b.path = "/b"');
  await write('[runtime.handlers.a]\nallowed_annotations = ["x"]\noptions = ["--debug"]\n[runtime.handlers.c]\npath = "/c"');

  const { config, changes } = await live.read();

  assert.deepEqual(
    changes.map(({ key, applied }) => [key, applied]),
    [
      ['runtime.handlers.a.options', false],
      ['runtime.handlers.a.allowed_annotations', true],
      ['runtime.handlers.b', false],
      ['runtime.handlers.c', false],
    ],
  );
  assert.deepEqual(Object.keys(config.runtime.handlers), ['runc', 'a', 'b']);
  assert.deepEqual([config.runtime.handlers['a']!.allowedAnnotations, config.runtime.handlers['a']!.options], [['x'], []]);
});
