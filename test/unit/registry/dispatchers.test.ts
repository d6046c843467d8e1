import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dispatchers } from '../../../src/registry/dispatchers.ts';
import { STRICT_TLS, withoutClients } from '../../../src/registry/endpoint.ts';

const OLD = { ...STRICT_TLS, key: 'old', clients: [{ certificate: '', key: '' }] };
const IDLE_MS = 50;

/** undici does not have it among its types. */
function isClosed(dispatcher: object): boolean {
  return (dispatcher as { readonly closed: boolean }).closed;
}

async function untilClosed(dispatcher: object): Promise<void> {
  const end = Date.now() + 10_000;
  while (!isClosed(dispatcher)) {
    assert.ok(Date.now() < end, 'it is not closed');
    await sleep(5);
  }
}

test('connections with TLS that is no longer in force are closed, and those that an old pull makes anew when it asks no more', async (t) => {
  const dispatchers = new Dispatchers(1000, undefined, IDLE_MS);
  t.after(async () => dispatchers.close());
  const [kept, first, elsewhere] = [
    await dispatchers.get(STRICT_TLS),
    await dispatchers.get({ ...OLD, clients: [] }),
    await dispatchers.get(withoutClients(OLD)),
  ];
  dispatchers.retire(new Set([STRICT_TLS.key]));
  await untilClosed(first);
  await untilClosed(elsewhere);

  const anew = await dispatchers.get({ ...OLD, clients: [] });
  assert.notEqual(anew, first);
  assert.equal(await dispatchers.get({ ...OLD, clients: [] }), anew, 'a pull under way has one, not one for each request');
  await untilClosed(anew);
  assert.notEqual(await dispatchers.get({ ...OLD, clients: [] }), anew);
  await sleep(2 * IDLE_MS);
  assert.ok(!isClosed(kept));
  assert.equal(await dispatchers.get(STRICT_TLS), kept);
});

test('TLS that comes back into force keeps its connections', async (t) => {
  const dispatchers = new Dispatchers(1000, undefined, IDLE_MS);
  t.after(async () => dispatchers.close());
  dispatchers.retire(new Set());
  const back = await dispatchers.get({ ...OLD, clients: [] });
  dispatchers.retire(new Set([OLD.key]));
  await sleep(3 * IDLE_MS);
  assert.ok(!isClosed(back));
});
