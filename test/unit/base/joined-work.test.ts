import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { DaemonError } from '../../../src/base/errors.ts';
import { JoinedWork, type JoinedWorkOptions } from '../../../src/base/joined-work.ts';

const PATIENT = new AbortController().signal;
const GIVEN_UP = new DaemonError('Canceled', 'the caller gave up');

const options = (more: Partial<JoinedWorkOptions<string>> = {}): JoinedWorkOptions<string> => ({
  budgetMs: 60_000,
  what: 'make it',
  endsWithLastWaiter: false,
  ...more,
});

/** Work that ends when the test says so, and counts how often it was begun. */
function controlled(): {
  work: (signal: AbortSignal) => Promise<string>;
  resolve: (result: string) => void;
  reject: (error: Error) => void;
  begun: number;
  signal?: AbortSignal;
} {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const control = {
    begun: 0,
    signal: undefined as AbortSignal | undefined,
    resolve,
    reject,
    work: async (signal: AbortSignal): Promise<string> => {
      control.begun += 1;
      control.signal = signal;
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
      return promise;
    },
  };
  return control as ReturnType<typeof controlled>;
}

test('equal requests join one piece of work and get its result', async () => {
  const joined = new JoinedWork<string>();
  const control = controlled();
  const waiting = [1, 2, 3].map(async () => joined.run('key', PATIENT, options(), control.work));
  await turn();
  assert.equal(joined.size, 1);
  control.resolve('made');

  assert.deepStrictEqual(await Promise.all(waiting), ['made', 'made', 'made']);
  assert.deepStrictEqual({ begun: control.begun, size: joined.size }, { begun: 1, size: 0 });
});

test('different keys run beside each other', async () => {
  const joined = new JoinedWork<string>();
  const stuck = controlled();
  const waiting = joined.run('a', PATIENT, options(), stuck.work);
  assert.equal(await joined.run('b', PATIENT, options(), async () => 'made'), 'made');
  stuck.resolve('late');
  await waiting;
});

test('a failure is told to all who joined, and the next request begins anew', async () => {
  const joined = new JoinedWork<string>();
  const failing = async (): Promise<string> => Promise.reject(new Error('broken'));
  const waiting = [1, 2].map(async () => joined.run('key', PATIENT, options(), failing));
  for (const each of waiting) await assert.rejects(each, /broken/);

  assert.equal(await joined.run('key', PATIENT, options(), async () => 'made'), 'made');
});

test('a caller that leaves does not end the work: the retry joins it', async () => {
  const joined = new JoinedWork<string>();
  const control = controlled();
  const unclaimed: string[] = [];
  const parking = options({
    unclaimed: async (result) => {
      unclaimed.push(result);
    },
  });
  const caller = new AbortController();
  const first = joined.run('key', caller.signal, parking, control.work);
  await turn();
  caller.abort(GIVEN_UP);
  await assert.rejects(first, GIVEN_UP);
  assert.equal(control.signal?.aborted, false);

  const retry = joined.run('key', PATIENT, parking, control.work);
  control.resolve('made');
  assert.equal(await retry, 'made');
  assert.deepStrictEqual({ begun: control.begun, unclaimed }, { begun: 1, unclaimed: [] });
});

test('what is finished for nobody goes to unclaimed(), and who comes during that still gets it', async () => {
  const joined = new JoinedWork<string>();
  const control = controlled();
  const parked = Promise.withResolvers<undefined>();
  const events: string[] = [];
  const parking = options({
    unclaimed: async (result) => {
      events.push(`parking ${result}`);
      await parked.promise;
      events.push('parked');
    },
  });
  const caller = new AbortController();
  const first = joined.run('key', caller.signal, parking, control.work);
  await turn();
  caller.abort(GIVEN_UP);
  await assert.rejects(first, GIVEN_UP);
  control.resolve('made');
  await turn();

  const retry = joined.run('key', PATIENT, parking, control.work).then((result) => {
    events.push(`got ${result}`);
  });
  await turn();
  parked.resolve(undefined);
  await retry;
  assert.deepStrictEqual(events, ['parking made', 'parked', 'got made']);
});

test('work that ends with its last waiter is aborted then, and is not joined any more', async () => {
  const joined = new JoinedWork<string>();
  const pull = controlled();
  const ends = options({ endsWithLastWaiter: true });
  const callers = [new AbortController(), new AbortController()];
  const waiting = callers.map(async ({ signal }) => joined.run('key', signal, ends, pull.work));
  await turn();
  callers[0]?.abort(GIVEN_UP);
  await assert.rejects(waiting[0]!, GIVEN_UP);
  assert.equal(pull.signal?.aborted, false);

  callers[1]?.abort(GIVEN_UP);
  await assert.rejects(waiting[1]!, GIVEN_UP);
  assert.equal(pull.signal.aborted, true);
  assert.equal((pull.signal.reason as DaemonError).kind, 'Canceled');
  assert.equal(await joined.run('key', PATIENT, ends, async () => 'a new pull'), 'a new pull');
});

test('the budget ends the work, whoever waits', async () => {
  const joined = new JoinedWork<string>();
  const control = controlled();
  const waiting = joined.run('key', PATIENT, options({ budgetMs: 5 }), control.work);
  await assert.rejects(waiting, { kind: 'DeadlineExceeded', message: 'make it: not finished after 0.005 s' });
  assert.equal(joined.size, 0);
});

test('a caller that has left before it asked still begins the work', async () => {
  const joined = new JoinedWork<string>();
  let parked: string | undefined;
  const parking = options({
    unclaimed: async (result) => {
      parked = result;
    },
  });
  await assert.rejects(
    joined.run('key', AbortSignal.abort(GIVEN_UP), parking, async () => 'made'),
    GIVEN_UP,
  );
  await joined.settled();
  assert.equal(parked, 'made');
});

test('settled() waits for all work, also for work that fails', async () => {
  const joined = new JoinedWork<string>();
  const control = controlled();
  const waiting = joined.run('key', PATIENT, options(), control.work);
  await turn();
  let settled = false;
  const settling = joined.settled().then(() => {
    settled = true;
  });
  await turn();
  assert.equal(settled, false);
  control.reject(new Error('broken'));
  await assert.rejects(waiting, /broken/);
  await settling;
});
