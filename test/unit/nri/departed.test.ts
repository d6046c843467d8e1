import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departed } from '../../../src/nri/departed.ts';
import { defaultValidatorReport, type PluginReport } from '../../../src/nri/report.ts';

const gone = (name: string): PluginReport => ({ ...defaultValidatorReport(new Date()), name, state: 'gone' });

test('the last plugins that have left are remembered, unless they are back', () => {
  const departed = new Departed();
  for (let index = 10; index < 40; index += 1) departed.add(gone(`${index}-a`));
  departed.add(gone('35-a'));
  const names = departed.list([gone('38-a')]).map(({ name }) => name);
  assert.deepEqual(names, ['30-a', '31-a', '32-a', '33-a', '34-a', '36-a', '37-a', '39-a', '35-a']);
});
