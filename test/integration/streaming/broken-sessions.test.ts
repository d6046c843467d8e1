import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamingServer } from '../../../src/streaming/server.ts';
import { eventually, openDescriptors, quiet, sleep, startServer } from '../../support/streaming/harness.ts';
import { dice, PROPER_END, spdySession, webSocketSession } from '../../support/streaming/sessions.ts';

/** How many sessions; half of them are broken off. `STREAMING_SESSIONS=10000` for the long run. */
const SESSIONS = Number(process.env['STREAMING_SESSIONS'] ?? 1000);
const PARALLEL = 16;
const request = { containerId: 'local', command: ['cat'], ...quiet, stdin: true };

async function runSessions(server: StreamingServer, count: number, seed: number): Promise<void> {
  const roll = dice(seed);
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const attach = roll(2) === 0;
      const leaveAt = roll(2) === 0 ? PROPER_END : roll(PROPER_END);
      const url = attach ? server.attachUrl({ ...request }) : server.execUrl(request);
      if (roll(2) === 0) await spdySession(url, attach, leaveAt);
      else await webSocketSession(url, attach, leaveAt);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

function memoryBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

test(
  `${SESSIONS} exec and attach sessions, half of them broken off in any phase, leave nothing behind`,
  { timeout: SESSIONS * 60 + 60_000 },
  async (t) => {
    const { server, backend } = await startServer(t);
    await runSessions(server, Math.min(200, SESSIONS), 1);
    await eventually('the first are over', () => server.sessionCount === 0 && backend.running === 0);
    await sleep(300);
    const before = { descriptors: await openDescriptors(), memoryBytes: memoryBytes() };

    await runSessions(server, SESSIONS, 2);
    await eventually('all are over', () => server.sessionCount === 0 && backend.running === 0, 10_000);
    await eventually('descriptors are closed', async () => (await openDescriptors()) <= before.descriptors);
    const grownBytes = memoryBytes() - before.memoryBytes;
    t.diagnostic(
      `descriptors ${before.descriptors} -> ${await openDescriptors()}, tokens ${server.tokenCount}, memory +${Math.round(grownBytes / 1024)} KiB`,
    );
    assert.deepEqual([server.tokenCount, server.sessionCount, backend.running], [0, 0, 0]);
    if (globalThis.gc !== undefined) assert.ok(grownBytes < 5 * 1024 * 1024, `${grownBytes} bytes`);
  },
);
