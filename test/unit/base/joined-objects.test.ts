import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { sleep } from '../../../src/base/deadline.ts';
import { DaemonError, fail } from '../../../src/base/errors.ts';
import { JoinedObjects } from '../../../src/base/joined-objects.ts';
import { silentLog } from '../../../src/base/log.ts';
import { ObjectStore, type StoredPair } from '../../../src/base/object-store.ts';
import { RecordStore } from '../../../src/base/record-store.ts';
import { scratchDirectory } from '../../support/scratch.ts';

interface Boat {
  readonly id: string;
  readonly name: string;
  readonly sails: number;
}
interface BoatState {
  readonly is: 'Parked' | 'Afloat' | 'Sunk' | 'Removing';
  readonly crew: string;
}

/** Long enough for a disk that is slow; what is parked is removed no earlier. */
const PARK_MS = 300;
const PATIENT = new AbortController().signal;
const idOf = (letter: string): string => letter.repeat(64);

/** Boats, whose building takes as long as the test says. */
class Boats extends JoinedObjects<Boat, BoatState> {
  readonly built: string[] = [];
  readonly removed: string[] = [];
  /** Building waits for it. */
  timber: Promise<void> = Promise.resolve();
  /** Removing waits for it. */
  breakers: Promise<void> = Promise.resolve();

  async build(id: string, { name = 'argo', sails = 1, signal = PATIENT } = {}): Promise<StoredPair<Boat, BoatState>> {
    return this.make(name, { sails }, { signal }, async ({ signal: work, makeWay }) => {
      if (sails < 1) fail('InvalidArgument', 'build boat: sails is 0, must be at least 1');
      await makeWay();
      this.built.push(id);
      await this.store.begin({ id, name, sails });
      try {
        await Promise.race([this.timber, aborted(work)]);
        await this.store.save(id, { is: 'Afloat', crew: 'fifty' });
        return id;
      } catch (error) {
        await this.store.remove(id);
        throw error;
      }
    });
  }

  protected async removeParked({ record, state }: StoredPair<Boat, BoatState>): Promise<void> {
    await this.store.save(record.id, { ...state, is: 'Removing' });
    await this.breakers;
    this.removed.push(record.id);
    await this.store.remove(record.id);
  }

  protected async removeCreating(record: Boat): Promise<void> {
    await this.breakers;
    this.removed.push(`hull of ${record.id}`);
    await this.store.remove(record.id);
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  // On a busy machine a short budget is over before anybody listens.
  signal.throwIfAborted();
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}

async function harbour(t: TestContext, { parkMs = PARK_MS, budgetMs = 60_000, retryMs = 60_000 } = {}): Promise<Boats> {
  const directory = await scratchDirectory(t);
  const disk = new RecordStore<Boat, BoatState>({
    directory: join(directory, 'boats'),
    badDirectory: join(directory, 'bad'),
    kind: 'sandbox',
    version: 1,
    readRecord: (data, id) => ({ ...(data.object() as unknown as Boat), id: data.at('id').oneOf([id]) }),
    readState: (data) => data.object() as unknown as BoatState,
    log: silentLog,
  });
  const boats = new Boats({
    store: new ObjectStore(disk),
    kind: 'sandbox',
    noun: 'boat',
    action: 'build boat',
    made: 'Afloat',
    isAlive: ({ is }) => is === 'Parked' || is === 'Afloat',
    requestOf: ({ sails }) => ({ sails }),
    budgetMs,
    parkMs,
    retryMs,
    log: silentLog,
  });
  await boats.store.load();
  // The clocks of what a test leaves parked.
  t.after(async () => boats.settled());
  return boats;
}

/** A caller whose deadline passes before the boat is there. */
async function buildAndLeave(boats: Boats, id: string, request: { name?: string; sails?: number } = {}): Promise<void> {
  const timber = Promise.withResolvers<undefined>();
  boats.timber = timber.promise;
  const signal = AbortSignal.timeout(5);
  await assert.rejects(boats.build(id, { ...request, signal }), { kind: 'Canceled' });
  timber.resolve(undefined);
  for (let state = boats.store.get(id)?.state.is; state !== 'Parked'; state = boats.store.get(id)?.state.is) await sleep(1);
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5);
}

test('requests of one name join, and a later one gets what is there', async (t) => {
  const boats = await harbour(t);
  const first = await Promise.all([boats.build(idOf('a')), boats.build(idOf('b'))]);
  const later = await boats.build(idOf('c'));
  assert.deepStrictEqual([...first, later].map(({ record, state }) => [record.id, state]), Array(3).fill([idOf('a'), { is: 'Afloat', crew: 'fifty' }])); // prettier-ignore
  assert.deepStrictEqual(boats.built, [idOf('a')]);
});

test('a caller that leaves does not end the work; what is finished for nobody is not seen, and the retry gets it', async (t) => {
  const boats = await harbour(t);
  await buildAndLeave(boats, idOf('a'));
  assert.deepStrictEqual({ list: boats.list(), find: boats.find(idOf('a')) }, { list: [], find: undefined });
  assert.throws(() => boats.get('a'), { kind: 'NotFound', message: 'boat a: not found' });

  const { record, state } = await boats.build(idOf('b'));
  assert.deepStrictEqual([record.id, state], [idOf('a'), { is: 'Afloat', crew: 'fifty' }]);
  assert.equal(boats.get('a').state.is, 'Afloat');

  await sleep(2 * PARK_MS);
  assert.deepStrictEqual([boats.list().length, boats.removed], [1, []]);
});

test('a retry that comes while the work goes on gets its result at once: nothing is parked', async (t) => {
  const boats = await harbour(t);
  const states: (string | undefined)[] = [];
  boats.store.onChange(({ after }) => states.push(after?.is));
  const timber = Promise.withResolvers<undefined>();
  boats.timber = timber.promise;
  await assert.rejects(boats.build(idOf('a'), { signal: AbortSignal.timeout(5) }), { kind: 'Canceled' });
  const retry = boats.build(idOf('b'));
  await sleep(5);
  timber.resolve(undefined);

  assert.equal((await retry).record.id, idOf('a'));
  assert.deepStrictEqual(states, ['Afloat']);
});

test('where no retry comes in time the object is removed, no earlier, and its name is free', async (t) => {
  const boats = await harbour(t);
  const times: number[] = [];
  boats.store.onChange(({ after }) => {
    if (after?.is !== 'Afloat') times.push(performance.now());
  });
  await buildAndLeave(boats, idOf('a'));
  await until(() => !boats.store.claims(idOf('a')));
  const [parkedAt = 0, removedAt = 0] = times;
  // A timer may be a millisecond early.
  assert.ok(removedAt - parkedAt > PARK_MS - 2, `kept for ${removedAt - parkedAt} ms only`);
  assert.equal((await boats.build(idOf('b'), { sails: 2 })).record.id, idOf('b'));
});

test('a retry that waits for the lock before the time is over keeps the object', async (t) => {
  const boats = await harbour(t);
  await buildAndLeave(boats, idOf('a'));
  const held = Promise.withResolvers<undefined>();
  const holding = boats.locked(idOf('a'), async () => held.promise);
  const retry = boats.build(idOf('b'));
  await sleep(PARK_MS + 100);
  held.resolve(undefined);

  assert.equal((await retry).state.is, 'Afloat');
  await holding;
  await boats.locked(idOf('a'), async () => undefined);
  assert.deepStrictEqual(boats.removed, []);
});

test('a retry that comes while the object is being removed waits for the end of that, and gets a new one', async (t) => {
  const boats = await harbour(t, { parkMs: 20 });
  const broken = Promise.withResolvers<undefined>();
  boats.breakers = broken.promise;
  await buildAndLeave(boats, idOf('a'));
  await until(() => boats.store.get(idOf('a'))?.state.is === 'Removing');
  const retry = boats.build(idOf('b'));
  await sleep(5);
  assert.deepStrictEqual(boats.built, [idOf('a')]);
  broken.resolve(undefined);
  assert.equal((await retry).record.id, idOf('b'));
  assert.deepStrictEqual(boats.removed, [idOf('a')]);
});

test('a retry that comes when the object is about to be removed is told to ask again, and then gets a new one', async (t) => {
  const boats = await harbour(t, { parkMs: 20 });
  await buildAndLeave(boats, idOf('a'));
  const held = Promise.withResolvers<undefined>();
  const holding = boats.locked(idOf('a'), async () => held.promise);
  await sleep(60);
  const retry = boats.build(idOf('b'));
  await sleep(5);
  held.resolve(undefined);

  await assert.rejects(retry, { kind: 'Unavailable', message: `build boat: ${idOf('a')} was stopped or removed meanwhile; ask again` });
  await holding;
  assert.equal((await boats.build(idOf('b'))).record.id, idOf('b'));
});

/** From now on removals fail, from that of the given moment on. */
function breakDown(boats: Boats): void {
  boats.breakers = Promise.reject(new Error('no breaker has time'));
  boats.breakers.catch(() => undefined);
}

test('a removal that fails is told to nobody but the log, and is tried again after twice the pause each time', async (t) => {
  const boats = await harbour(t, { parkMs: 20, retryMs: 20 });
  const tries: number[] = [];
  boats.store.onChange(({ after }) => {
    if (after?.is === 'Removing') tries.push(performance.now());
  });
  breakDown(boats);
  await buildAndLeave(boats, idOf('a'));
  await until(() => tries.length === 4);
  boats.breakers = Promise.resolve();
  await until(() => !boats.store.claims(idOf('a')));
  assert.deepStrictEqual([boats.removed, tries.length], [[idOf('a')], 5]);
  for (const [index, leastMs] of [20, 40, 80, 160].entries()) {
    const pause = (tries[index + 1] ?? 0) - (tries[index] ?? 0);
    assert.ok(pause > leastMs - 2, `pause ${index} was ${pause} ms, must be at least ${leastMs}`);
  }
});

test('where the removal of a parked object has failed half-way, the next request of its name ends it and gets a new one', async (t) => {
  for (const sails of [1, 2]) {
    const boats = await harbour(t, { parkMs: 20 });
    breakDown(boats);
    await buildAndLeave(boats, idOf('a'));
    await until(() => boats.store.get(idOf('a'))?.state.is === 'Removing');
    await assert.rejects(boats.build(idOf('b'), { sails }), /no breaker has time/);
    boats.breakers = Promise.resolve();
    assert.equal((await boats.build(idOf('c'), { sails })).record.id, idOf('c'));
    assert.deepStrictEqual([boats.removed, boats.built], [[idOf('a')], [idOf('a'), idOf('c')]]);
  }
});

test('an object that could not make way is removed when its own time is over', async (t) => {
  const boats = await harbour(t, { retryMs: 20 });
  await buildAndLeave(boats, idOf('a'));
  breakDown(boats);
  await assert.rejects(boats.build(idOf('b'), { sails: 2 }), /no breaker has time/);
  boats.breakers = Promise.resolve();
  await until(() => !boats.store.claims(idOf('a')));
  assert.deepStrictEqual(boats.removed, [idOf('a')]);
});

test('no clock goes on for an object whose removal failed, when all are stopped', async (t) => {
  const boats = await harbour(t, { parkMs: 20, retryMs: 20 });
  const broken = Promise.withResolvers<undefined>();
  boats.breakers = broken.promise;
  await buildAndLeave(boats, idOf('a'));
  await until(() => boats.store.get(idOf('a'))?.state.is === 'Removing');
  await boats.settled();
  broken.reject(new Error('no breaker has time'));
  await sleep(5);
  boats.breakers = Promise.resolve();
  await sleep(100);
  assert.deepStrictEqual(boats.removed, []);
});

test('a request that is refused takes nothing away: neither a parked object nor what an attempt has left', async (t) => {
  const boats = await harbour(t);
  await buildAndLeave(boats, idOf('a'));
  await boats.store.begin({ id: idOf('b'), name: 'left', sails: 1 });
  for (const name of ['argo', 'left'])
    await assert.rejects(boats.build(idOf('c'), { name, sails: 0 }), { kind: 'InvalidArgument', message: /must be at least 1/ });
  assert.deepStrictEqual([boats.removed, boats.store.get(idOf('a'))?.state.is], [[], 'Parked']);
  assert.equal((await boats.build(idOf('d'))).record.id, idOf('a'));
});

test('another request of a name that somebody has is refused, and takes nothing away', async (t) => {
  const boats = await harbour(t);
  await boats.build(idOf('a'));
  await assert.rejects(boats.build(idOf('b'), { sails: 2 }), {
    kind: 'AlreadyExists',
    message: `build boat argo: sandbox ${idOf('a')} has this name and attempt and another configuration; remove it, or ask with a higher attempt`,
  });
  assert.deepStrictEqual([boats.list().length, boats.removed], [1, []]);
});

test('a parked object, which nobody has seen, makes way for another request of its name', async (t) => {
  const boats = await harbour(t);
  await buildAndLeave(boats, idOf('a'), { sails: 1 });
  const { record } = await boats.build(idOf('b'), { sails: 2 });
  assert.deepStrictEqual([record, boats.removed], [{ id: idOf('b'), name: 'argo', sails: 2 }, [idOf('a')]]);
});

test('a parked object that a retry takes first makes no way, and is not handed to the other request', async (t) => {
  const boats = await harbour(t);
  await buildAndLeave(boats, idOf('a'), { sails: 1 });
  const held = Promise.withResolvers<undefined>();
  const holding = boats.locked(idOf('a'), async () => held.promise);
  const retry = boats.build(idOf('b'), { sails: 1 });
  await sleep(5);
  const other = boats.build(idOf('c'), { sails: 2 });
  await sleep(5);
  held.resolve(undefined);

  await assert.rejects(other, { kind: 'AlreadyExists', message: /another configuration/ });
  assert.equal((await retry).record.id, idOf('a'));
  await holding;
  assert.deepStrictEqual(boats.removed, []);
});

test('an object that has begun to end is given to nobody, whatever is asked for', async (t) => {
  const boats = await harbour(t);
  await boats.build(idOf('a'));
  await boats.store.save(idOf('a'), { is: 'Sunk', crew: '' });
  for (const sails of [1, 2]) {
    await assert.rejects(boats.build(idOf('b'), { sails }), {
      kind: 'AlreadyExists',
      message: `build boat argo: sandbox ${idOf('a')} has this name and attempt and is Sunk; remove it, or ask with a higher attempt`,
    });
  }
});

test('what an earlier attempt could not take back is removed before the next begins, or the next fails too', async (t) => {
  const boats = await harbour(t);
  await boats.store.begin({ id: idOf('a'), name: 'argo', sails: 1 });
  boats.breakers = Promise.reject(new Error('no breaker has time'));
  boats.breakers.catch(() => undefined);
  await assert.rejects(boats.build(idOf('b')), /no breaker has time/);
  assert.deepStrictEqual(boats.built, []);

  boats.breakers = Promise.resolve();
  assert.equal((await boats.build(idOf('b'))).record.id, idOf('b'));
  assert.deepStrictEqual(boats.removed, [`hull of ${idOf('a')}`]);
  await boats.removeUnfinished({ id: idOf('a'), name: 'argo', sails: 1 });
  assert.equal(boats.removed.length, 1);
});

test('the budget ends the work, and the next request begins anew', async (t) => {
  const boats = await harbour(t, { budgetMs: 30 });
  boats.timber = new Promise(() => undefined);
  await assert.rejects(boats.build(idOf('a')), { kind: 'DeadlineExceeded', message: 'build boat argo: not finished after 0.03 s' });
  boats.timber = Promise.resolve();
  assert.equal((await boats.build(idOf('b'))).record.id, idOf('b'));
});

test('an object is named by its id or a unique prefix; a parked one makes no prefix ambiguous', async (t) => {
  const boats = await harbour(t);
  const [one, two, parked] = [`1${idOf('a').slice(1)}`, `2${idOf('b').slice(1)}`, `2c${idOf('0').slice(2)}`] as const;
  await boats.build(one, { name: 'one' });
  await boats.build(two, { name: 'two' });
  await buildAndLeave(boats, parked, { name: 'three' });
  assert.deepStrictEqual(boats.list().map(({ record }) => record.id), [one, two]); // prettier-ignore
  assert.deepStrictEqual([boats.get(one).record.id, boats.get('1a').record.id, boats.get('2').record.id], [one, one, two]);
  assert.equal(boats.find('f'), undefined);
  assert.throws(() => boats.find(''), { kind: 'InvalidArgument', message: 'boat id is empty, must be given' });

  await boats.build(idOf('x'), { name: 'three' });
  assert.throws(() => boats.find('2'), { kind: 'InvalidArgument', message: 'boat 2: 2 ids begin so, must be unique' });
});

test('transitions of one object wait for each other, those of another do not', async (t) => {
  const boats = await harbour(t);
  const events: string[] = [];
  const held = Promise.withResolvers<undefined>();
  const first = boats.locked('a', async () => held.promise);
  const second = boats.locked('a', async () => events.push('second'));
  await boats.locked('b', async () => events.push('other'));
  assert.deepStrictEqual(events, ['other']);
  held.resolve(undefined);
  await Promise.all([first, second]);
  assert.deepStrictEqual(events, ['other', 'second']);
});

test('settled() waits for what is being made, and then no clock removes anything', async (t) => {
  const parkMs = 1000; // long, so that a busy machine does not come to its end before all clocks are stopped
  const boats = await harbour(t, { parkMs });
  await buildAndLeave(boats, idOf('a'));
  const timber = Promise.withResolvers<undefined>();
  boats.timber = timber.promise;
  const building = boats.build(idOf('b'), { name: 'other' });
  let isSettled = false;
  const settling = boats.settled().then(() => {
    isSettled = true;
  });
  await sleep(5);
  assert.equal(isSettled, false);
  timber.resolve(undefined);
  await Promise.all([settling, building]);

  await sleep(parkMs + 100);
  assert.deepStrictEqual([boats.store.get(idOf('a'))?.state.is, boats.removed], ['Parked', []]);
});

test('a deadline that has passed leaves a DaemonError of its own kind to the caller', async (t) => {
  const boats = await harbour(t);
  const signal = AbortSignal.abort(new DaemonError('DeadlineExceeded', 'the caller waits no longer'));
  await assert.rejects(boats.build(idOf('a'), { signal }), { kind: 'DeadlineExceeded' });
  await until(() => boats.store.get(idOf('a'))?.state.is === 'Parked');
});
