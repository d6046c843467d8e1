import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DaemonError } from '../../../src/base/errors.ts';
import { PinoLog } from '../../../src/base/pino-log.ts';
import { inRequest } from '../../../src/base/steps.ts';
import type { LogFormat } from '../../../src/base/pino-log.ts';

function open(format: LogFormat): { log: PinoLog; lines: string[] } {
  const lines: string[] = [];
  return { log: PinoLog.open({ level: 'info', format, destination: { write: (line) => lines.push(line) } }), lines };
}

test('PinoLog writes JSON with the fields of with() and of the line', () => {
  const { log, lines } = open('json');

  log.with({ requestId: 'r1', changes: [1n] }).info('pulled', { durationMs: 7 });

  const { time, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, { level: 'info', message: 'pulled', requestId: 'r1', changes: [1], durationMs: 7 });
});

test('PinoLog gives a line the id of the call that it comes of, where it has none', () => {
  const { log, lines } = open('json');

  inRequest({ requestId: 'r7', rpc: 'RunPodSandbox' }, () => {
    log.info('one');
    log.with({ requestId: 'own' }).info('other');
  });
  log.info('none');

  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { requestId?: string }).requestId),
    ['r7', 'own', undefined],
  );
});

test('PinoLog writes text in one line, quoting what has spaces or line ends', () => {
  const { log, lines } = open('text');

  log.warn('odd thing', {
    containerId: 'abc',
    reason: 'two words',
    error: new DaemonError('Internal', 'outer', { cause: new Error('in\nner') }),
  });

  assert.match(lines[0]!, /^\S+Z WARN {2}odd thing containerId=abc reason="two words" error="outer: in\\nner"\n$/);
});

test('PinoLog escapes control characters in text', () => {
  const { log, lines } = open('text');

  log.info('plugin said\nWARN forged', { name: '\u001b[31mred', what: 'a\u009bb' });

  assert.match(lines[0]!, /INFO {2}plugin said\\u000aWARN forged name=\\u001b\[31mred what=a\\u009bb\n$/);
});

test('PinoLog gives the stack of an error that is none of ours', () => {
  const { log, lines } = open('text');

  log.error('failed', { error: new TypeError('x is not a function') });

  assert.match(lines[0]!, /TypeError: x is not a function\\n +at /);
});

test('PinoLog.setLevel() holds for logs that with() made before', () => {
  const { log, lines } = open('text');
  const inner = log.with({ pid: 1 });

  inner.debug('not seen');
  log.setLevel('debug');
  inner.debug('seen');

  assert.equal(lines.length, 1);
});

test('PinoLog gives a line the span of the call that it comes of, where its trace is kept', () => {
  const { log, lines } = open('text');

  inRequest({ requestId: 'r7', rpc: 'RunPodSandbox', trace: { traceId: 't1', spanId: 's1' } }, () => {
    log.info('one');
    log.with({ requestId: 'own' }).info('other');
  });

  assert.match(lines[0] ?? '', /one requestId=r7 traceId=t1 spanId=s1\n$/);
  assert.match(lines[1] ?? '', /other requestId=own\n$/);
});
