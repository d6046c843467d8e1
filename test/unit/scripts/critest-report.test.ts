import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReport } from '../../support/critest-report.ts';

const spec = (state: string, more: object = {}): object => ({
  LeafNodeType: 'It',
  ContainerHierarchyTexts: ['[k8s.io] Thing', 'when used'],
  LeafNodeText: `is ${state}`,
  State: state,
  ...more,
});

test('readReport sorts specs by how they ended, with their reasons', () => {
  const { passed, failed, skipped, notSelected } = readReport(
    JSON.stringify([
      {
        SpecReports: [
          { LeafNodeType: 'BeforeSuite', ContainerHierarchyTexts: null, LeafNodeText: '', State: 'passed' },
          spec('passed'),
          spec('skipped', { Failure: { Message: 'AppArmor is disabled' } }),
          spec('skipped'),
          spec('failed', { Failure: { Message: 'expected 1' }, CapturedGinkgoWriterOutput: 'pulled' }),
          spec('panicked', { Failure: { Message: 'Test Panicked', ForwardedPanic: 'nil map' } }),
        ],
      },
    ]),
  );

  assert.equal(passed, 1);
  assert.equal(notSelected, 1);
  assert.deepEqual(skipped, [{ name: '[k8s.io] Thing when used is skipped', reason: 'AppArmor is disabled', output: '' }]);
  assert.deepEqual(failed, [
    { name: '[k8s.io] Thing when used is failed', reason: 'expected 1', output: 'pulled' },
    { name: '[k8s.io] Thing when used is panicked', reason: 'Test Panicked: nil map', output: '' },
  ]);
});

test('readReport counts a broken suite set-up as a failure, and a suite without specs as nothing', () => {
  const setUp = {
    LeafNodeType: 'BeforeSuite',
    ContainerHierarchyTexts: null,
    LeafNodeText: '',
    State: 'failed',
    Failure: { Message: 'no socket' },
  };

  assert.deepEqual(readReport(JSON.stringify([{ SpecReports: [setUp] }])).failed, [
    { name: 'BeforeSuite', reason: 'no socket', output: '' },
  ]);
  assert.deepEqual(readReport(JSON.stringify([{ SpecReports: null }])), { passed: 0, failed: [], skipped: [], notSelected: 0 });
});
