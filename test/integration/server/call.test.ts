import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { test } from 'node:test';
import { messages } from '../../../api/cri/runtime.ts';
import type { Call } from '../../../src/base/call.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { CriError } from '../../../src/cli/cri-client.ts';
import { eventually, serve } from '../../support/cri-server.ts';

const VERSION = { version: '0.1.0', runtimeName: 'podwright', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' };

/** A handler that never answers, and what it was called with. */
function hanging(): { handler: (request: unknown, call: Call) => Promise<never>; calls: Call[] } {
  const calls: Call[] = [];
  const handler = (_request: unknown, call: Call): Promise<never> => {
    calls.push(call);
    return new Promise((_resolve, reject) => {
      call.signal.addEventListener('abort', () => {
        reject(call.signal.reason as Error);
      });
    });
  };
  return { handler, calls };
}

async function rejection(work: Promise<unknown>): Promise<CriError> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof CriError, String(error));
  return error;
}

test('a unary call answers, is logged with its request id and is counted', async (t) => {
  const { client, lines, metrics } = await serve(t, { startContainer: async () => ({}), version: async () => VERSION });

  assert.deepEqual(await client.runtime.version(), VERSION);
  assert.deepEqual(await client.runtime.startContainer({ containerId: 'c1' }), {});

  const mine = lines.filter((line) => line.rpc === 'StartContainer');
  assert.deepEqual(
    mine.map(({ level, message, containerId }) => ({ level, message, containerId })),
    [
      { level: 'debug', message: 'call started', containerId: 'c1' },
      { level: 'debug', message: 'call finished', containerId: 'c1' },
    ],
  );
  assert.match(String(mine[0]?.requestId), /^[0-9a-f]{8}$/);
  assert.equal(mine[0]?.requestId, mine[1]?.requestId);
  assert.deepEqual(
    lines.filter((line) => line.rpc === 'Version'),
    [],
    'a poll of the kubelet leaves no line',
  );
  const text = await metrics.render();
  assert.match(text, /podwright_rpc_duration_seconds_count\{rpc="StartContainer",code="OK"\} 1/);
  assert.match(text, /podwright_rpc_in_flight\{rpc="StartContainer"\} 0/);
});

test('errors keep their kind as a code and their words, and never show a stack', async (t) => {
  const { client, lines, metrics } = await serve(t, {
    containerStatus: async () => {
      throw new DaemonError('NotFound', 'status of container c1: no such container ("ñ", 100 %)\nsecond line');
    },
    stopContainer: async () => {
      throw new TypeError('x is not a function');
    },
    startContainer: () => {
      throw new DaemonError('FailedPrecondition', 'thrown before the first await');
    },
    runPodSandbox: async () => {
      throw new DaemonError('Internal', `half a pair \ud800 and ${'long '.repeat(5000)}the end`);
    },
  });

  const missing = await rejection(client.runtime.containerStatus({ containerId: 'c1' }));
  assert.equal(missing.code, 'NOT_FOUND');
  assert.equal(missing.details, 'status of container c1: no such container ("ñ", 100 %)\nsecond line');
  const broken = await rejection(client.runtime.stopContainer({ containerId: 'c1' }));
  assert.deepEqual([broken.code, broken.details], ['INTERNAL', 'x is not a function']);
  assert.equal((await rejection(client.runtime.startContainer())).code, 'FAILED_PRECONDITION');
  const long = await rejection(client.runtime.runPodSandbox());
  assert.match(long.details, /^half a pair \ufffd and long .* \[\d+ characters left out\] .*the end$/);

  assert.deepEqual(
    lines.filter((line) => line.message === 'call failed').map(({ level, rpc, code }) => [level, rpc, code]),
    [
      ['info', 'ContainerStatus', 'NOT_FOUND'],
      ['warn', 'StopContainer', 'INTERNAL'],
      ['info', 'StartContainer', 'FAILED_PRECONDITION'],
      ['warn', 'RunPodSandbox', 'INTERNAL'],
    ],
  );
  assert.match(await metrics.render(), /podwright_rpc_errors_total\{rpc="StopContainer",code="INTERNAL"\} 1/);
});

test('the two pull errors go out as UNKNOWN and begin with their name', async (t) => {
  const { client } = await serve(
    t,
    {},
    {
      imageHandlers: {
        pullImage: async ({ image }) => {
          if (image?.image === 'a') throw new DaemonError('RegistryUnavailable', 'pull a: connection refused');
          throw new DaemonError('SignatureValidationFailed', 'SignatureValidationFailed: pull b: no signature');
        },
      },
    },
  );

  const down = await rejection(client.image.pullImage({ image: { image: 'a' } }));
  assert.deepEqual([down.code, down.details], ['UNKNOWN', 'RegistryUnavailable: pull a: connection refused']);
  const unsigned = await rejection(client.image.pullImage({ image: { image: 'b' } }));
  assert.deepEqual([unsigned.code, unsigned.details], ['UNKNOWN', 'SignatureValidationFailed: pull b: no signature']);
});

test('an RPC without an implementation answers UNIMPLEMENTED with its name, unary or streaming', async (t) => {
  const { client } = await serve(t, {});

  const unary = await rejection(client.runtime.checkpointPod());
  assert.deepEqual([unary.code, unary.details], ['UNIMPLEMENTED', 'CheckpointPod: not implemented']);
  const stream = await rejection(Array.fromAsync(client.runtime.streamContainers()));
  assert.deepEqual([stream.code, stream.details], ['UNIMPLEMENTED', 'StreamContainers: not implemented']);
});

test('a deadline and a cancel reach the handler with reasons of their own', async (t) => {
  const { handler, calls } = hanging();
  const { client, metrics } = await serve(t, { runPodSandbox: handler, createContainer: handler });

  const late = await rejection(client.runtime.runPodSandbox({}, { timeoutMs: 200 }));
  assert.equal(late.code, 'DEADLINE_EXCEEDED');
  await eventually(() => calls[0]?.signal.aborted === true);
  assert.equal((calls[0]?.signal.reason as DaemonError).kind, 'DeadlineExceeded');

  const controller = new AbortController();
  const left = rejection(client.runtime.createContainer({}, { timeoutMs: 60_000, signal: controller.signal }));
  await eventually(() => calls.length === 2);
  controller.abort();
  assert.equal((await left).code, 'CANCELLED');
  await eventually(() => calls[1]?.signal.aborted === true);
  assert.equal((calls[1]?.signal.reason as DaemonError).kind, 'Canceled');

  const text = await metrics.render();
  assert.match(text, /podwright_rpc_errors_total\{rpc="RunPodSandbox",code="DEADLINE_EXCEEDED"\} 1/);
  assert.match(text, /podwright_rpc_errors_total\{rpc="CreateContainer",code="CANCELLED"\} 1/);
});

test('a handler that finishes after its caller has gone is counted as what the caller saw', async (t) => {
  const gate = Promise.withResolvers<undefined>();
  let signal: AbortSignal | undefined;
  const { client, metrics, server } = await serve(t, {
    runPodSandbox: async (_request, call) => {
      signal = call.signal;
      await gate.promise;
      return { podSandboxId: 's1' };
    },
  });

  await rejection(client.runtime.runPodSandbox({}, { timeoutMs: 50 }));
  await eventually(() => signal?.aborted === true);
  assert.equal(server.callsInFlight, 1);
  gate.resolve(undefined);
  await eventually(() => server.callsInFlight === 0);
  assert.match(await metrics.render(), /podwright_rpc_duration_seconds_count\{rpc="RunPodSandbox",code="DEADLINE_EXCEEDED"\} 1/);
});

test('the signal of a call that has ended well never aborts', async (t) => {
  const signals: AbortSignal[] = [];
  const { client } = await serve(t, {
    version: async (_request, call) => {
      signals.push(call.signal);
      return VERSION;
    },
  });

  await client.runtime.version({}, { timeoutMs: 1000 });
  await new Promise((resolve) => setTimeout(resolve, 1250));
  assert.deepEqual(
    signals.map((signal) => signal.aborted),
    [false],
  );
});

test('a deadline of more than 24 days is not one of a millisecond', async (t) => {
  const { client } = await serve(t, {
    stopContainer: async (_request, call) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      call.signal.throwIfAborted();
      return {};
    },
  });

  for (const days of [20, 25, 30, 60, 400]) {
    assert.deepEqual(await client.runtime.stopContainer({}, { timeoutMs: days * 86_400_000 }), {}, `${days} days`);
  }
});

test('messages of 16 MiB pass both ways, larger ones are refused as RESOURCE_EXHAUSTED', async (t) => {
  const limit = 16 * 1024 * 1024;
  const { client, metrics } = await serve(t, {
    execSync: async ({ containerId }) => ({ stdout: new Uint8Array(Number(containerId)).fill(0xff) }),
    createContainer: async ({ config }) => ({ containerId: String(config?.annotations['large']?.length) }),
  });

  const overhead = messages.ExecSyncResponse.encode({ stdout: new Uint8Array(limit - 100) }).length - (limit - 100);
  const full = await client.runtime.execSync({ containerId: String(limit - overhead) });
  assert.equal(full.stdout.length, limit - overhead);
  assert.equal(full.stdout[limit - overhead - 1], 0xff);
  // A map's entry in a message in a message: each with a tag and a length.
  const large = 'x'.repeat(limit - 64);
  assert.equal((await client.runtime.createContainer({ config: { annotations: { large } } })).containerId, String(large.length));

  const answer = await rejection(client.runtime.execSync({ containerId: String(limit) }));
  assert.equal(answer.code, 'RESOURCE_EXHAUSTED');
  assert.match(answer.details, /^ExecSync: the answer has 167772\d\d bytes, must have at most 16777216$/);
  assert.match(await metrics.render(), /rpc_errors_total\{rpc="ExecSync",code="RESOURCE_EXHAUSTED"\} 1/);
});

test('bytes and 64-bit integers arrive as they were sent', async (t) => {
  const seen: unknown[] = [];
  const { client } = await serve(t, {
    createContainer: async ({ config }) => {
      seen.push(config?.envs[0]?.value, config?.linux?.resources?.memoryLimitInBytes);
      return { containerId: 'c1' };
    },
  });

  const value = Uint8Array.from({ length: 256 }, (_, index) => index);
  await client.runtime.createContainer({
    config: { envs: [{ key: 'K', value }], linux: { resources: { memoryLimitInBytes: 2n ** 63n - 1n } } },
  });
  assert.deepEqual(seen, [value, 2n ** 63n - 1n]);
});

test('a call that ends between its message and the end of its stream is not begun', async (t) => {
  const { handler, calls } = hanging();
  const { path, lines, server } = await serve(t, { startContainer: handler });
  const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(path) });
  t.after(() => {
    session.close();
  });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/runtime.v1.RuntimeService/StartContainer',
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '50m',
  });
  const answered = once(stream, 'response');
  stream.write(Buffer.alloc(5)); // an empty message, not compressed
  const [headers] = (await answered) as [Record<string, string>];
  assert.equal(headers['grpc-status'], '4', 'DEADLINE_EXCEEDED');
  stream.end();
  await eventually(() => lines.some((line) => line.rpc === 'StartContainer' && line.code === 'DEADLINE_EXCEEDED'));
  assert.deepEqual([calls.length, server.callsInFlight], [0, 0]);
});
