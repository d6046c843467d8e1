import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { RequestOptions } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { listenMetrics } from '../../../src/metrics/listen.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { temporaryFolder } from '../../support/cri-server.ts';

const metrics = new Metrics();

async function get(options: RequestOptions): Promise<{ status: number | undefined; type: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    // A connection of its own: one that is kept may be that of a listener that was closed.
    const sent = request({ ...options, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        resolve({ status: response.statusCode, type: response.headers['content-type'], body });
      });
    });
    sent.on('error', reject).end();
  });
}

test('the metrics are served on a port, at /metrics only and for GET only', async (t) => {
  const listener = await listenMetrics({ address: '127.0.0.1:0', metrics, log: silentLog });
  t.after(() => listener.close());
  const [host, port] = listener.address.split(':');

  const page = await get({ host, port, path: '/metrics?x=1' });
  assert.equal(page.status, 200);
  assert.match(page.type!, /^text\/plain; version=0\.0\.4/);
  assert.match(page.body, /^# TYPE podwright_rpc_duration_seconds histogram$/m);
  assert.equal((await get({ host, port, path: '/' })).status, 404);
  assert.equal((await get({ host, port, path: '/metrics', method: 'POST' })).status, 405);
});

test('the metrics are served on a unix socket, also where a stale one lies', async (t) => {
  const path = join(await temporaryFolder(t), 'metrics.sock');

  for (let round = 0; round < 2; round += 1) {
    const listener = await listenMetrics({ address: path, metrics, log: silentLog });
    assert.equal((await get({ socketPath: path, path: '/metrics' })).status, 200);
    await listener.close();
  }
});

test('an address that cannot be listened on is refused with its words', async (t) => {
  const first = await listenMetrics({ address: 'localhost:0', metrics, log: silentLog });
  t.after(() => first.close());
  const file = join(await temporaryFolder(t), 'data');
  await writeFile(file, 'data');

  await assert.rejects(listenMetrics({ address: first.address, metrics, log: silentLog }), /EADDRINUSE/);
  await assert.rejects(listenMetrics({ address: file, metrics, log: silentLog }), /EADDRINUSE/);
  for (const address of ['9100', 'host:', 'host:70000', '::1:80', '']) {
    await assert.rejects(
      listenMetrics({ address, metrics, log: silentLog }),
      (error) => error instanceof DaemonError && error.kind === 'InvalidArgument' && error.message.includes(`"${address}"`),
    );
  }
});
