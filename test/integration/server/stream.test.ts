import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DaemonError } from '../../../src/base/errors.ts';
import { CriError } from '../../../src/cli/cri-client.ts';
import { eventually, serve } from '../../support/cri-server.ts';

test('a stream delivers every message in order and ends', async (t) => {
  const { client, metrics } = await serve(t, {
    async *streamContainers() {
      for (let i = 0; i < 5000; i += 1) yield { containers: [{ id: String(i) }] };
    },
  });

  const ids: string[] = [];
  let messages = 0;
  for await (const { containers } of client.runtime.streamContainers()) {
    ids.push(...containers.map(({ id }) => id));
    messages += 1;
  }
  assert.equal(messages, 1, 'small items travel together');
  assert.deepEqual(
    ids,
    Array.from({ length: 5000 }, (_, index) => String(index)),
  );
  assert.match(await metrics.render(), /rpc_duration_seconds_count\{rpc="StreamContainers",code="OK"\} 1/);
});

test('a list as a stream comes in messages that stay small, and one that is large comes by itself', async (t) => {
  const sizes = [10, 40_000, 20_000, 10_000, 200_000, 10, 10];
  const { client } = await serve(t, {
    *streamContainers() {
      for (const size of sizes) yield { containers: [{ id: 'x'.repeat(size) }] };
    },
  });

  const messages = await Array.fromAsync(client.runtime.streamContainers());
  assert.deepEqual(
    messages.map(({ containers }) => containers.map(({ id }) => id.length)),
    [[10, 40_000, 20_000], [10_000], [200_000], [10, 10]],
  );
});

test('events, which are no list, come one in a message', async (t) => {
  const { client } = await serve(t, {
    async *getContainerEvents() {
      for (const containerId of ['a', 'b', 'c']) yield { containerId };
    },
  });

  const events = await Array.fromAsync(client.runtime.getContainerEvents());
  assert.deepEqual(
    events.map(({ containerId }) => containerId),
    ['a', 'b', 'c'],
  );
});

test('a stream whose reader is slow waits for it', async (t) => {
  let produced = 0;
  const { client, server } = await serve(t, {
    async *getContainerEvents() {
      for (;;) {
        produced += 1;
        yield { containerId: 'x'.repeat(100_000) };
      }
    },
  });

  const events = client.runtime.getContainerEvents()[Symbol.asyncIterator]();
  await events.next();
  let before = 0;
  while (produced > before && produced < 200) {
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.ok(produced < 200, `${produced} messages of 100 kB wait for a reader of one`);
  await events.return?.();
  await eventually(() => server.callsInFlight === 0);
});

test('a stream that fails in the middle delivers what was before, then the error', async (t) => {
  const { client } = await serve(t, {
    async *streamPodSandboxes() {
      yield { podSandboxes: [{ id: 'a' }] };
      throw new DaemonError('Unavailable', 'list sandboxes: the store is closed');
    },
  });

  const ids: string[] = [];
  await assert.rejects(
    async () => {
      for await (const { podSandboxes } of client.runtime.streamPodSandboxes()) ids.push(podSandboxes[0]!.id);
    },
    (error) => error instanceof CriError && error.code === 'UNAVAILABLE' && error.details === 'list sandboxes: the store is closed',
  );
  assert.deepEqual(ids, ['a']);
});

test('a reader that leaves ends its stream, also one that waits for its next event', async (t) => {
  const reasons: unknown[] = [];
  let ended = false;
  const { client, server, lines } = await serve(t, {
    async *getContainerEvents(_request, call) {
      call.signal.addEventListener('abort', () => reasons.push((call.signal.reason as DaemonError).kind));
      try {
        yield { containerId: 'first' };
        await new Promise((_resolve, reject) => {
          call.signal.addEventListener('abort', () => {
            reject(call.signal.reason as Error);
          });
        });
      } finally {
        ended = true;
      }
    },
  });

  for await (const event of client.runtime.getContainerEvents()) {
    assert.equal(event.containerId, 'first');
    break;
  }
  await eventually(() => ended && server.callsInFlight === 0);
  assert.deepEqual(reasons, ['Canceled']);
  assert.deepEqual(
    lines.filter((line) => line.level === 'warn'),
    [],
  );
});

test('a source that does not hear the signal does not keep its call open', async (t) => {
  const { client, server } = await serve(t, {
    getContainerEvents: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
  });

  const controller = new AbortController();
  const reading = Array.fromAsync(client.runtime.getContainerEvents({}, { signal: controller.signal }));
  await eventually(() => server.callsInFlight === 1);
  controller.abort();
  await assert.rejects(reading, (error) => error instanceof CriError && error.code === 'CANCELLED');
  await eventually(() => server.callsInFlight === 0);
});
