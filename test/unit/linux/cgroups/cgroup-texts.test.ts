import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventCount, parseFlat, parsePressure } from '../../../../src/linux/cgroups/cgroup-texts.ts';

const PRESSURE = 'some avg10=1.23 avg60=0.50 avg300=0.00 total=98765\nfull avg10=0.11 avg60=0.00 avg300=0.00 total=43\n';

test('parseFlat() reads lines of a name and a number, and leaves out what is none', () => {
  assert.deepStrictEqual(parseFlat('anon 4096\nfile 18446744073709551615\nbroken\nnan x\n\n'), {
    anon: 4096n,
    file: 18446744073709551615n,
  });
});

test('parsePressure() reads both lines, total in microseconds', () => {
  assert.deepStrictEqual(parsePressure(PRESSURE), {
    some: { avg10: 1.23, avg60: 0.5, avg300: 0, totalUs: 98765n },
    full: { avg10: 0.11, avg60: 0, avg300: 0, totalUs: 43n },
  });
});

test('cpu pressure of an older kernel has no full line: then it is zero', () => {
  assert.deepStrictEqual(parsePressure('some avg10=1.00 avg60=1.00 avg300=1.00 total=5\n')?.full, {
    avg10: 0,
    avg60: 0,
    avg300: 0,
    totalUs: 0n,
  });
});

test('without pressure information there is none', () => {
  assert.equal(parsePressure(undefined), undefined);
  assert.equal(parsePressure(''), undefined);
});

test('eventCount reads one line of memory.events and memory.oom_control', () => {
  assert.equal(eventCount('low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n', 'oom_kill'), 2);
  assert.equal(eventCount('oom_kill_disable 0\nunder_oom 0\noom_kill 5\n', 'oom_kill'), 5);
  assert.equal(eventCount('oom_kill_disable 0\n', 'oom_kill'), undefined);
});
