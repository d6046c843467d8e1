import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { request } from 'undici';
import { Dispatchers } from '../../../src/registry/dispatchers.ts';
import { STRICT_TLS } from '../../../src/registry/endpoint.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { makeSelfSigned } from '../../support/self-signed.ts';

const MORE = 8;

test('the authorities of the machine are read for the first connection to a registry, not for each', async (t) => {
  const scratch = await scratchDirectory(t);
  await makeSelfSigned(scratch, 'one');
  const [cert, key] = await Promise.all(['one.crt', 'one.key'].map((name) => readFile(join(scratch, name), 'utf8')));
  const server = createServer({ cert, key }, (_, answer) => answer.setHeader('connection', 'close').end('x')).listen(0, '127.0.0.1');
  let connections = 0;
  server.on('secureConnection', () => (connections += 1));
  const dispatchers = new Dispatchers(10_000);
  t.after(async () => dispatchers.close());
  t.after(() => server.close());
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  /** Milliseconds of this thread's processor time. */
  const ask = async (): Promise<number> => {
    const before = process.threadCpuUsage();
    const dispatcher = await dispatchers.get({ ...STRICT_TLS, key: 'own', authorities: [cert ?? ''] });
    assert.equal(await (await request(url, { dispatcher })).body.text(), 'x');
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  };
  const first = await ask();
  let others = 0;
  for (let count = 0; count < MORE; count += 1) others += await ask();
  assert.equal(connections, MORE + 1);
  assert.ok(others < 2 * first, `the first takes ${first.toFixed()} ms, ${MORE} more together ${others.toFixed()}`);
  await assert.rejects(request(url, { dispatcher: await dispatchers.get(STRICT_TLS) }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
});
