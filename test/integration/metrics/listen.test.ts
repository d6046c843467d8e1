import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { RequestOptions } from 'node:http';
import https from 'node:https';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { silentLog } from '../../../src/base/log.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { listenMetrics } from '../../../src/metrics/listen.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { temporaryFolder } from '../../support/cri-server.ts';
import { until } from '../../support/pods.ts';
import { makeSelfSigned } from '../../support/self-signed.ts';

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

/** The name in the certificate that is shown to a client with these options. */
async function serverSeen(address: string, options: https.RequestOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = https.get(`https://${address}/metrics`, { agent: false, rejectUnauthorized: false, ...options }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve(String(subject.CN));
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    sent.on('error', reject);
  });
}

test('TLS: new certificates are taken without a restart, broken ones not', { timeout: 30_000 }, async (t) => {
  const directory = await temporaryFolder(t);
  await Promise.all(['one', 'two'].map(async (name) => makeSelfSigned(directory, name)));
  const tls = { certificateFile: join(directory, 'server.crt'), keyFile: join(directory, 'server.key') };
  const use = async (name: string): Promise<void> => {
    await copyFile(join(directory, `${name}.key`), tls.keyFile);
    await copyFile(join(directory, `${name}.crt`), tls.certificateFile);
  };
  await use('one');
  const listener = await listenMetrics({ address: '127.0.0.1:0', metrics, log: silentLog, tls, tlsCheckMs: 50 });
  t.after(() => listener.close());

  assert.equal(await serverSeen(listener.address), 'one');
  await use('two');
  await until('the second is used', async () => (await serverSeen(listener.address)) === 'two');
  await writeFile(tls.certificateFile, 'broken');
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await serverSeen(listener.address), 'two');
});

test('TLS with a client CA: strangers, the nameless and plain HTTP are refused', { timeout: 30_000 }, async (t) => {
  const directory = await temporaryFolder(t);
  await Promise.all(['server', 'client', 'stranger'].map(async (name) => makeSelfSigned(directory, name)));
  const tls = {
    certificateFile: join(directory, 'server.crt'),
    keyFile: join(directory, 'server.key'),
    clientCaFile: join(directory, 'client.crt'),
  };
  const listener = await listenMetrics({ address: '127.0.0.1:0', metrics, log: silentLog, tls });
  t.after(() => listener.close());
  const identity = async (name: string): Promise<https.RequestOptions> => ({
    cert: await readFile(join(directory, `${name}.crt`)),
    key: await readFile(join(directory, `${name}.key`)),
  });

  await assert.rejects(serverSeen(listener.address));
  await assert.rejects(serverSeen(listener.address, await identity('stranger')));
  const [host, port] = listener.address.split(':');
  await assert.rejects(get({ host, port, path: '/metrics' }));
  assert.equal(await serverSeen(listener.address, await identity('client')), 'server');
});
