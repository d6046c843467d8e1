/** How far pulls are: on the admin socket, on the command line, in a terminal and in metrics; what canceling leaves. */
// long: 60 s
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../scripts/make-demo-image.ts';
import type { PullEvent, PullsEvent } from '../../src/admin/image-reports.ts';
import type { PullSnapshot } from '../../src/base/pull-snapshot.ts';
import { atEnd } from '../support/at-end.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import type { E2eBody } from '../support/e2e-test.ts';
import { readMetrics, valueOf } from '../support/metrics.ts';
import { until } from '../support/pods.ts';
import { SlowRegistry } from '../support/slow-registry.ts';
import { withoutImages } from '../support/without-images.ts';

const KIB = 1024;
const RATE = 400 * KIB;
const POD = { name: 'web-1', namespace: 'shop', uid: 'u-1', attempt: 0 };
/** Two layers of 1 MiB and one of 300 KiB: some three seconds at the rate that each gets. */
const SIZES = [1024 * KIB, 1024 * KIB, 300 * KIB];

let slow: SlowRegistry;
let mirror: SlowRegistry;
const shared = sharedDaemon({
  images: [],
  prepare: async () => {
    slow = await SlowRegistry.start(RATE);
    mirror = await SlowRegistry.start(RATE);
    for (const each of [slow, mirror]) atEnd(async () => each.registry.stop());
    for (const name of ['stream', 'lines', 'left', 'killed', 'wide']) slow.addImage(await image(SIZES), `team/${name}`, '1');
    const mirrored = await image([1024 * KIB]);
    for (const each of [slow, mirror]) each.addImage(mirrored, 'team/mirrored', '1');
    const directory = await mkdtemp(join(tmpdir(), 'podwright-pulls-'));
    atEnd(async () => rm(directory, { recursive: true }));
    const conf = join(directory, 'registries.conf');
    const table = (prefix: string, at: SlowRegistry): string =>
      `[[registry]]\nprefix = "${prefix}"\nlocation = "${at.registry.host}/team"\ninsecure = true\n`;
    const inPlace = `[[registry.mirror]]\nlocation = "${mirror.registry.host}/team"\ninsecure = true\n`;
    await writeFile(conf, `${table('slow.test', slow)}${table('mirrored.test', slow)}${inPlace}`);
    return { config: `registries_conf = "${conf}"\nregistries_conf_dir = "${directory}/none"\n` };
  },
});

const test = (name: string, body: E2eBody): void => {
  shared(name, withoutImages(body));
};

async function image(sizes: readonly number[]): Promise<Omit<ImageSource, 'name'>> {
  const layers = sizes.map(async (size, index) => makeLayer([{ path: `file-${index}`, kind: 'file', data: randomBytes(size) }]));
  return { config: {}, layers: await Promise.all(layers) };
}

/** The lines of an answer of the admin socket, until it ends or `until` says so, when the connection is closed. */
async function linesOf<Event>(
  daemon: TestDaemon,
  method: string,
  path: string,
  seen: (event: Event) => boolean = () => false,
): Promise<{ readonly events: Event[]; readonly atMs: number[] }> {
  const events: Event[] = [];
  const atMs: number[] = [];
  const outgoing = request({ socketPath: join(daemon.runDir, 'admin.sock'), method, path, agent: false }).end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  assert.equal(answer.statusCode, 200);
  let rest = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      events.push(JSON.parse(line) as Event);
      atMs.push(Date.now());
      if (seen(events.at(-1) as Event)) {
        answer.destroy();
        return { events, atMs };
      }
    }
  }
  return { events, atMs };
}

async function underWay(daemon: TestDaemon): Promise<readonly PullSnapshot[]> {
  const { events } = await linesOf<PullsEvent>(daemon, 'GET', '/v1/pulls', () => true);
  return events[0]?.event === 'pulls' ? events[0].pulls : [];
}

async function metric(daemon: TestDaemon, name: string): Promise<number> {
  return valueOf(await readMetrics(daemon), `podwright_${name}`) ?? 0;
}

test('the stream of pulls agrees with what the registry sends, and says for which pod', async (daemon) => {
  const counts = async (): Promise<number[]> => [
    await metric(daemon, 'image_pull_duration_seconds_count{result="fetched"}'),
    await metric(daemon, 'image_pull_layers_total{outcome="fetched"}'),
  ];
  const before = {
    bytes: await metric(daemon, 'image_pull_received_bytes_total{source="registry"}'),
    sent: slow.sentBytes,
    counts: await counts(),
  };
  const pulling = daemon.images.pullImage(
    { image: { image: 'slow.test/stream:1' }, sandboxConfig: { metadata: POD } },
    { timeoutMs: 60_000 },
  );
  await until('the layers come', async () => (await underWay(daemon))[0]?.step === 'fetching');
  const sent: number[] = [];
  const askedAtMs = Date.now();
  const { events, atMs } = await linesOf<PullsEvent>(daemon, 'GET', '/v1/pulls', () => {
    sent.push(slow.sentBytes - before.sent);
    return false;
  });
  await pulling;

  assert.deepEqual([events[0]?.event, events.at(-2)?.event, events.at(-1)?.event], ['pulls', 'ended', 'done']);
  const changes = events.flatMap((event, index) =>
    event.event === 'pull' ? [{ pull: event.pull, atMs: atMs[index] ?? 0, sent: sent[index] ?? 0 }] : [],
  );
  assert.ok(changes.length >= 4, `${changes.length} changes`);
  for (const [index, { pull, sent: sentBytes }] of changes.entries()) {
    const last = changes[index - 1];
    assert.ok(pull.transferredBytes <= sentBytes, `${pull.transferredBytes} came of ${sentBytes} sent`);
    // What it lags behind: a moment's, and what is on its way.
    assert.ok(sentBytes - pull.transferredBytes < RATE * 3, `${pull.transferredBytes} came of ${sentBytes} sent`);
    if (last === undefined) continue;
    assert.ok(pull.transferredBytes >= last.pull.transferredBytes);
  }
  // Any of them may be read late, so that the next one is close behind it: their number over the time tells how often they come.
  const overMs = (changes.at(-1)?.atMs ?? 0) - askedAtMs;
  assert.ok(overMs >= 200 * (changes.length - 1), `${changes.length} changes within ${overMs} ms`);
  const middle =
    changes.findLast(({ pull }) => pull.layers.every(({ state }) => state === 'fetching'))?.pull ?? assert.fail('never all three came');
  assert.deepEqual(middle.askers, [{ by: 'cri', pod: 'shop/web-1' }]);
  assert.ok(middle.bytesPerSecond > RATE && middle.bytesPerSecond < 4 * RATE, `${middle.bytesPerSecond} bytes a second`);
  assert.ok(middle.secondsLeft !== undefined && middle.secondsLeft <= 20, `${middle.secondsLeft} s left`);

  const ended = events.at(-2)?.event === 'ended' ? (events.at(-2) as { pull: PullSnapshot }).pull : assert.fail('it has not ended');
  const sizes = ended.layers.map(({ digest = '' }) => slow.sent.get(digest) ?? 0);
  assert.deepEqual(ended.layers.map(({ sources }) => sources[0]?.bytes), sizes); // prettier-ignore
  assert.deepEqual(
    [ended.outcome, ended.transferredBytes, ended.receivedBytes],
    ['OK', slow.sentBytes - before.sent, slow.sentBytes - before.sent],
  );
  assert.ok(ended.layers.every(({ state, endedAt, host }) => state === 'unpacked' && endedAt !== undefined && host === slow.registry.host));
  const counted = (await metric(daemon, 'image_pull_received_bytes_total{source="registry"}')) - before.bytes;
  const configBytes = counted - ended.transferredBytes;
  assert.ok(configBytes > 0 && configBytes < 2000, `${counted} bytes are counted`);
  assert.deepEqual(
    (await counts()).map((count, index) => count - (before.counts[index] ?? 0)),
    [1, 3],
    'one pull, of three layers',
  );
});

test('a mirror that fails half way shows the retry, and the registry where it goes on', async (daemon) => {
  mirror.breaksAfterBytes = 512 * KIB;
  const retries = await metric(daemon, 'image_pull_retries_total{what="stream"}');
  const { events } = await linesOf<PullEvent>(daemon, 'POST', '/v1/images/pull?ref=mirrored.test/mirrored:1');

  assert.equal(events.at(-1)?.event, 'done');
  const last = events.findLast((event) => event.event === 'progress')?.pull ?? assert.fail('no progress');
  const [layer] = last.layers;
  const [fromMirror, fromRegistry] = layer?.sources ?? [];
  assert.deepEqual([fromMirror?.host, fromMirror?.isMirror], [mirror.registry.host, true]);
  assert.deepEqual([fromRegistry?.host, fromRegistry?.isMirror], [slow.registry.host, false]);
  assert.equal(fromMirror?.bytes, mirror.sentBytes);
  assert.equal(fromMirror.bytes + (fromRegistry?.bytes ?? 0), layer?.sizeBytes, 'it went on where it broke');
  assert.ok((layer?.retries ?? 0) >= 2 && /mirrored|127\.0\.0\.1/.test(layer?.lastError ?? ''), JSON.stringify(layer));
  assert.equal((await metric(daemon, 'image_pull_retries_total{what="stream"}')) - retries, 1);
  assert.ok((await metric(daemon, 'image_pull_received_bytes_total{source="mirror"}')) >= mirror.sentBytes);
});

function cliOf(
  daemon: TestDaemon,
  ...args: readonly string[]
): { readonly file: string; readonly args: readonly string[]; readonly env: Record<string, string> } {
  const flags = ['--config', join(daemon.directory, 'podwright.toml'), '--run-dir', daemon.runDir];
  const env: Record<string, string> = process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {};
  return { file: join(import.meta.dirname, '../../bin/podwright'), args: [...args, ...flags], env };
}

test('image pull prints lines where there is no terminal, and the image on standard output alone', async (daemon) => {
  const { file, args, env } = cliOf(daemon, 'image', 'pull', 'slow.test/lines:1');
  const { stdout, stderr } = await execa(file, args, { env });

  assert.match(stdout, /^sha256:[0-9a-f]{64} slow\.test\/lines:1$/);
  assert.match(stderr, /^slow\.test\/lines:1: fetching, /m);
  assert.equal(stderr.match(/^layer [0-9a-f]{12}: received .*\/s from 127\.0\.0\.1:\d+$/gm)?.length, 3, stderr);
  assert.ok(!stderr.includes('\u001b'));
  const failed = await execa(file, cliOf(daemon, 'image', 'pull', 'slow.test/absent:1').args, { env, reject: false });
  assert.deepEqual([failed.exitCode, failed.stdout], [1, '']);
  assert.match(failed.stderr, /^podwright: pull slow\.test\/absent:1: .*not found/m);
});

test('SIGINT ends image pull and the pull with it, and nothing of that is left', async (daemon) => {
  const before = await inventoryOf(daemon);
  const { file, args, env } = cliOf(daemon, 'image', 'pull', 'slow.test/killed:1');
  const running = execa(file, args, { env, reject: false });
  await until('layers come', async () => ((await underWay(daemon))[0]?.transferredBytes ?? 0) > 200 * KIB);
  running.kill('SIGINT');
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, 130);
  assert.match(stderr, /^podwright: image pull: canceled$/m);
  await until('no pull is under way', async () => (await underWay(daemon)).length === 0);
  await assertNothingNew(daemon, before);
  const { image: found } = await daemon.images.imageStatus({ image: { image: 'slow.test/killed:1' } });
  assert.equal(found, undefined);
});

test('a client that leaves ends its pull, but not one that the CRI waits for too', async (daemon) => {
  const before = await inventoryOf(daemon);
  const enough = (event: PullEvent): boolean => event.event === 'progress' && event.pull.transferredBytes > 200 * KIB;
  const path = '/v1/images/pull?ref=slow.test/left:1';
  await linesOf<PullEvent>(daemon, 'POST', path, enough);
  await until('no pull is under way', async () => (await underWay(daemon)).length === 0);
  await assertNothingNew(daemon, before);
  assert.equal(await metric(daemon, 'image_pulls_in_progress'), 0);
  assert.ok((await metric(daemon, 'image_pulls_total{outcome="Canceled"}')) >= 1);

  const pulling = daemon.images.pullImage({ image: { image: 'slow.test/left:1' } }, { timeoutMs: 60_000 });
  await until('the CRI pulls', async () => (await underWay(daemon)).length === 1);
  const { events } = await linesOf<PullEvent>(daemon, 'POST', path, enough);
  const joined = events.findLast((event) => event.event === 'progress')?.pull;
  assert.deepEqual(joined?.askers, [{ by: 'cri' }, { by: 'admin' }]);
  assert.match((await pulling).imageRef, /^sha256:/);
});

for (const columns of [80, 200]) {
  test(`on a terminal of ${columns} columns each layer has a bar that is drawn in its place`, async (daemon) => {
    const { file, args, env } = cliOf(daemon, 'image', 'pull', 'slow.test/wide:1');
    const command = `stty cols ${columns} rows 24; ${[file, ...args].map((word) => `'${word}'`).join(' ')}`;
    const { stdout } = await execa('script', ['-qefc', command, '/dev/null'], { env: { ...env, TERM: 'xterm' }, timeout: 60_000 });

    const lines = stdout.split(/\r?\n/).map((line) => stripVTControlCharacters(line).replaceAll('\r', ''));
    assert.deepEqual(lines.filter((line) => line.length >= columns && !line.startsWith('sha256:')), []); // prettier-ignore
    const bars = lines.filter((line) => /^[0-9a-f]{12} fetching +\[#*-*\] +\d+% +[\d.]+\/[\d.]+ [KM]iB/.test(line));
    assert.ok(bars.length >= 6, lines.join('\n'));
    assert.ok(bars.some((line) => line.includes(`/s ${slow.registry.host}`)), bars.join('\n')); // prettier-ignore
    assert.ok(stdout.includes('\u001b[4A'), 'the four lines are drawn in their place');
    assert.match(lines.filter((line) => line !== '').at(-1) ?? '', /^sha256:[0-9a-f]{64} slow\.test\/wide:1$/);
  });
}

test('image pulls shows the pulls of the CRI, once and as they go on', async (daemon) => {
  assert.equal(await daemon.cli('image', 'pulls'), 'no pull is under way\n');
  const pulling = daemon.images.pullImage(
    { image: { image: 'slow.test/stream:1' }, sandboxConfig: { metadata: POD } },
    { timeoutMs: 60_000 },
  );
  const { file, args, env } = cliOf(daemon, 'image', 'pulls', '--follow');
  const following = execa(file, args, { env, reject: false });
  await until('layers come', async () => (await underWay(daemon))[0]?.step === 'fetching');
  const text = await daemon.cli('image', 'pulls');
  assert.match(text, /^slow\.test\/stream:1: fetching, [^\n]*\n {2}for pod shop\/web-1\n([0-9a-f]{12} \w+ [^\n]*\n){3}$/);
  const pulls = JSON.parse(await daemon.cli('image', 'pulls', '--json')) as PullSnapshot[];
  assert.deepEqual([pulls.length, pulls[0]?.layers.length], [1, 3]);
  await pulling;
  await sleep(500);
  following.kill('SIGINT');
  const { stdout, exitCode } = await following;
  assert.equal(exitCode, 0);
  assert.match(stdout, /^slow\.test\/stream:1: pulled, 2\.\d MiB, [^\n]* in \d+\.\d s$/m);
});

test('wrong requests for pulls are refused in words before anything is done', async (daemon) => {
  const refused = async (method: string, path: string): Promise<string> => {
    const { stdout } = await execa('curl', ['-s', '-X', method, '--unix-socket', join(daemon.runDir, 'admin.sock'), `http://admin${path}`]);
    return stdout;
  };
  assert.match(await refused('POST', '/v1/images/pull'), /"kind":"InvalidArgument","message":"pull image: no ref is given/);
  assert.match(await refused('POST', `/v1/images/pull?ref=${'a'.repeat(2000)}`), /ref has 2000 characters, must have at most 1024/);
  assert.match(await refused('POST', '/v1/images/pull?ref=UPPER:1'), /"event":"failed","kind":"InvalidArgument"/);
  assert.match(await refused('GET', '/v1/pulls?follow=maybe'), /follow is \\"maybe\\", must be true or false/);
});
