import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodeOf } from '../../../src/cli/remote-command.ts';
import { lineCount, sinceMs } from '../../../src/cli/since.ts';
import { encodeStatus } from '../../../src/streaming/status.ts';

test('a moment is a duration back from now, or a time', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal(sinceMs('90s', now), now - 90_000);
  assert.equal(sinceMs('1h30m', now), now - 5_400_000);
  assert.equal(sinceMs('1.5d', now), now - 129_600_000);
  assert.equal(sinceMs('2026-01-01T10:00:00+02:00', now), Date.parse('2026-01-01T08:00:00Z'));
  for (const wrong of ['', '5', 'h', '-5s', '5 s', 'yesterday', '2026-13-40T00:00:00Z'])
    assert.throws(() => sinceMs(wrong, now), /--since: is ".*", must be/, wrong);
  assert.equal(lineCount('0'), 0);
  for (const wrong of ['', '-1', '1.5', 'all', '9999999999']) assert.throws(() => lineCount(wrong), /--tail/);
});

test('the end of a command is read as our server says it', () => {
  const said = (outcome: Parameters<typeof encodeStatus>[0]): unknown => JSON.parse(String(encodeStatus(outcome, 'json')));
  assert.equal(exitCodeOf(said({ exitCode: 0 })), 0);
  assert.equal(exitCodeOf(said({ exitCode: 7 })), 7);
  assert.equal(exitCodeOf(said({ exitCode: 255 })), 255);
  assert.throws(() => exitCodeOf(said({ error: new Error('no such program') })), /^CliError: no such program$/);
  assert.throws(() => exitCodeOf(undefined), /broke off/);
  for (const odd of [
    {},
    { status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: 'x' }] } },
    { status: 'Failure', reason: 'NonZeroExitCode', details: null },
  ])
    assert.throws(() => exitCodeOf(odd), /exec: failed/);
});
