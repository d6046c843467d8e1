import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { defaultSettings } from '../../../src/config/overlay.ts';
import { Plugins } from '../../../src/nri/plugins.ts';
import { Event } from '../../../api/nri/enums.ts';

test('without plugins nobody is asked', async () => {
  const plugins = new Plugins({ settings: () => defaultSettings().nri, log: silentLog, processesFile: '/nowhere' });
  assert.deepEqual([plugins.active, plugins.wants(Event.RUN_POD_SANDBOX)], [false, false]);
  assert.equal(await plugins.window(async () => Promise.resolve(1)), 1);
  await plugins.close();
});
