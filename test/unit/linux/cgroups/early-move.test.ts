import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../../src/base/log.ts';
import { EarlyMove } from '../../../../src/linux/cgroups/early-move.ts';
import { until } from '../../../support/pods.ts';

test('where this process cannot be moved it is said once, and not tried again', async () => {
  const lines: string[] = [];
  const debug = (message: string, { error }: { readonly error?: unknown } = {}): void => void lines.push(`${message}: ${String(error)}`);
  const move = new EarlyMove({ directory: '/nonexistent', unified: false, controllers: ['no-controller'] }, { ...silentLog, debug });
  move.begin();
  await until('it has said so', async () => lines.length > 0);
  for (let n = 0; n < 3; n += 1) move.begin();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(lines, ['moves between cgroups are not begun early any more: no cgroup of no-controller']);
});
