/** What a token service answers that holds no token: refused by its field, and nothing that may be a token is repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { pullBench } from '../../support/pull-bench.ts';
import { RecordingServer } from '../../support/recording-server.ts';

const NAME = 'registry.example/team/app:1';
/** Of a service that may have a token later. */
const STATUSES = [429, 503];

const ANSWERS: readonly [string, RegExp][] = [
  ['{}', /: access_token: must be 1 to 65536 characters of ASCII, is no text$/],
  ['{"token": null, "access_token": ""}', /: access_token: must be 1 to 65536 .*, is a text of 0 characters$/],
  ['{"token": 8675309}', /: token: must be 1 to 65536 .*, is no text$/],
  ['{"token": "two words of 8675309"}', /: token: must be 1 to 65536 .*, is a text of 20 characters$/],
  [`{"token": "${'8675309'.repeat(10_000)}"}`, /: token: must be 1 to 65536 .*, is a text of 70000 characters$/],
  ['["8675309"]', /answered with what is no JSON object$/],
  ['8675309', /answered with what is no JSON object$/],
  ['{"token": "8675309', /answered with what is no JSON object$/],
];

for (const [answer, words] of ANSWERS) {
  test(`a token service that answers ${answer.slice(0, 40)} is refused in words without it`, async (t) => {
    const service = await RecordingServer.start((_, response) => response.end(answer));
    t.after(async () => service.stop());
    const registry = await FaultyRegistry.start({ auth: 'bearer', realm: `http://${service.host}/token` });
    t.after(async () => registry.stop());
    registry.addImage({ config: { Cmd: ['/app'] }, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])] }, 'team/app', '1');
    const { puller } = await pullBench(t, registry.conf);

    const error = await puller.pull(NAME, undefined, AbortSignal.timeout(60_000)).catch((caught: unknown) => caught as Error);
    assert.ok(error instanceof Error);
    assert.match(error.message, words);
    assert.ok(!error.message.includes('8675309'), error.message);
  });
}

test('a token service that says when to ask again is asked then, and not before', async (t) => {
  const askedAtMs: number[] = [];
  const registry = await FaultyRegistry.start({
    auth: 'bearer',
    token: async (response) => {
      askedAtMs.push(Date.now());
      if (askedAtMs.length <= STATUSES.length) response.writeHead(STATUSES[askedAtMs.length - 1] ?? 500, { 'retry-after': '2' }).end();
      else response.end('{"token": "good-token"}');
      return Promise.resolve();
    },
  });
  t.after(async () => registry.stop());
  registry.addImage({ config: { Cmd: ['/app'] }, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])] }, 'team/app', '1');
  const { puller } = await pullBench(t, registry.conf);

  await puller.pull(NAME, undefined, AbortSignal.timeout(60_000));
  for (const [index] of STATUSES.entries()) {
    const waitedMs = (askedAtMs[index + 1] ?? 0) - (askedAtMs[index] ?? 0);
    assert.ok(waitedMs >= 1990, `asked again after ${waitedMs} ms, must be 2000`);
  }
});
