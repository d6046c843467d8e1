import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DaemonError } from '../../../src/base/errors.ts';
import { encodeStatus, type Outcome } from '../../../src/streaming/status.ts';

function json(outcome: Outcome): unknown {
  return JSON.parse(encodeStatus(outcome, 'json')?.toString() ?? '');
}

test('a status in JSON says success', () => {
  assert.deepEqual(json({ exitCode: 0 }), { metadata: {}, status: 'Success' });
});

test('a status in JSON carries the exit code as a cause', () => {
  assert.deepEqual(json({ exitCode: 137 }), {
    metadata: {},
    status: 'Failure',
    message: 'command terminated with exit code 137',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '137' }] },
  });
});

test('a status in JSON carries the message of a failure', () => {
  assert.deepEqual(json({ error: new DaemonError('NotFound', 'exec in container c1: there is none') }), {
    metadata: {},
    status: 'Failure',
    message: 'exec in container c1: there is none',
    reason: 'InternalError',
    details: { causes: [{ reason: '', message: 'exec in container c1: there is none' }] },
    code: 500,
  });
});

test('an exit code that clients cannot read becomes a failure', () => {
  for (const exitCode of [-1, 256, Number.NaN]) assert.match(JSON.stringify(json({ exitCode })), /"InternalError"/);
});

test('a status in text is silent on success and a sentence otherwise', () => {
  assert.equal(encodeStatus({ exitCode: 0 }, 'text'), undefined);
  assert.equal(encodeStatus({ exitCode: 7 }, 'text')?.toString(), 'command terminated with exit code 7');
  assert.equal(encodeStatus({ error: new Error('broken') }, 'text')?.toString(), 'broken');
});
