import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { reasonOf, sleep, waitFor, waitOrDiscard, withTimeout } from '../../../src/base/deadline.ts';
import { DaemonError } from '../../../src/base/errors.ts';

const YEAR_MS = 365 * 24 * 3600 * 1000;
const GIVEN_UP = new DaemonError('Canceled', 'the caller gave up');

test('withTimeout() aborts with what took too long', async () => {
  const { signal } = withTimeout(undefined, 5, 'pull busybox');
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve);
  });
  assert.deepStrictEqual(
    { kind: reasonOf(signal).kind, message: reasonOf(signal).message },
    { kind: 'DeadlineExceeded', message: 'pull busybox: not finished after 0.005 s' },
  );
});

test('withTimeout() aborts with the outer signal and its reason, also one that has aborted before', () => {
  const before = withTimeout(AbortSignal.abort(GIVEN_UP), YEAR_MS, 'x');
  const outer = new AbortController();
  const later = withTimeout(outer.signal, YEAR_MS, 'x');
  assert.equal(later.signal.aborted, false);
  outer.abort(GIVEN_UP);

  assert.equal(before.signal.reason, GIVEN_UP);
  assert.equal(later.signal.reason, GIVEN_UP);
  before.clear();
  later.clear();
});

test('after clear() nothing aborts any more', async () => {
  const outer = new AbortController();
  const { signal, clear } = withTimeout(outer.signal, 1, 'x');
  clear();
  outer.abort();
  await sleep(5);
  assert.equal(signal.aborted, false);
});

test('a time longer than timers take does not pass at once', async () => {
  const { signal, clear } = withTimeout(undefined, YEAR_MS, 'x');
  const stop = new AbortController();
  let slept = false;
  const sleeping = sleep(YEAR_MS, stop.signal).then(() => {
    slept = true;
  });
  await sleep(10);

  assert.deepStrictEqual({ aborted: signal.aborted, slept }, { aborted: false, slept: false });
  clear();
  stop.abort();
  await sleeping;
});

test('waitFor() gives the result, or the failure, of work that ends first', async () => {
  const { signal } = new AbortController();
  assert.equal(await waitFor(Promise.resolve(7), signal), 7);
  await assert.rejects(waitFor(Promise.reject(new Error('broken')), signal), /broken/);
});

test('waitFor() throws the reason of the signal; the late failure of the work is swallowed', async () => {
  const work = Promise.withResolvers<undefined>();
  const call = new AbortController();
  const waiting = waitFor(work.promise, call.signal);
  call.abort(GIVEN_UP);
  await assert.rejects(waiting, GIVEN_UP);
  await assert.rejects(waitFor(work.promise, call.signal), GIVEN_UP);

  work.reject(new Error('late')); // would end the test as an unhandled rejection
  await sleep(1);
});

test('reasonOf() makes a Canceled of what is no error of ours', () => {
  const reason = reasonOf(AbortSignal.abort('because'));
  assert.deepStrictEqual({ kind: reason.kind, cause: reason.cause }, { kind: 'Canceled', cause: 'because' });
  assert.equal(reasonOf(AbortSignal.abort(GIVEN_UP)), GIVEN_UP);
});

test('sleep() ends at once when its signal aborts, and does not throw', async () => {
  await sleep(YEAR_MS, AbortSignal.abort());
  const waker = new AbortController();
  const asleep = sleep(YEAR_MS, waker.signal);
  waker.abort();
  await asleep;
});

test('what comes when nobody waits for it any more is discarded, once, and may be gone already', async () => {
  const giveUp = new AbortController();
  const discarded: string[] = [];
  const discard = (late: string): void => {
    discarded.push(late);
    throw new Error('it is gone already');
  };
  const work = Promise.withResolvers<string>();
  const waiting = waitOrDiscard(work.promise, giveUp.signal, discard);
  giveUp.abort(new DaemonError('Canceled', 'given up'));
  await assert.rejects(waiting, /given up/);
  work.resolve('late');
  await setImmediate();
  assert.deepEqual(discarded, ['late']);

  assert.equal(await waitOrDiscard(Promise.resolve('in time'), new AbortController().signal, discard), 'in time');
  await assert.rejects(waitOrDiscard<string>(Promise.reject(new Error('no')), giveUp.signal, discard), /given up/);
  await setImmediate();
  assert.deepEqual(discarded, ['late']);
});
