/** What a client of the CRI socket can make big: the daemon's peak of memory is looked at. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { createConnection } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';

const MEBIBYTE = 1 << 20;
const PARALLEL = 40;
/** Tag 127 with a length: no message of the CRI has it. */
const UNKNOWN_FIELD = Buffer.from([0xfa, 0x07]);

async function peakMib(daemon: TestDaemon): Promise<number> {
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

interface Outcome {
  readonly status: string;
  readonly message: string;
  /** grpc-accept-encoding */
  readonly accepts: unknown;
}

/** One request with a message as it is, by hand: our own client sends no compressed ones. */
async function send(session: ClientHttp2Session, message: Buffer, encoding: string | undefined): Promise<Outcome> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/runtime.v1.RuntimeService/Version',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(encoding === undefined ? {} : { 'grpc-encoding': encoding }),
  });
  const found: Record<string, unknown> = {};
  for (const event of ['response', 'trailers'] as const) {
    stream.on(event, (headers: object) => {
      Object.assign(found, headers);
    });
  }
  stream.on('error', () => undefined);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(encoding === undefined ? 0 : 1, 0);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  stream.resume();
  await once(stream, 'close');
  return {
    status: String(found['grpc-status']),
    message: decodeURIComponent(String(found['grpc-message'])),
    accepts: found['grpc-accept-encoding'],
  };
}

async function sendMany(daemon: TestDaemon, message: Buffer, encoding?: string): Promise<Outcome[]> {
  const session = connect('http://localhost', { createConnection: () => createConnection(daemon.socket), maxSessionMemory: 2000 });
  session.on('error', () => undefined);
  try {
    return await Promise.all(Array.from({ length: PARALLEL }, async () => send(session, message, encoding)));
  } finally {
    session.destroy();
  }
}

e2eTest(
  'compressed requests are refused before they are unpacked, in words and by what is advertised',
  async (daemon, t) => {
    const before = await peakMib(daemon);
    // One as large as may be, and one ten times as large.
    for (const sizeMib of [15, 160]) {
      const bomb = gzipSync(Buffer.concat([UNKNOWN_FIELD, varint(sizeMib * MEBIBYTE), Buffer.alloc(sizeMib * MEBIBYTE)]));
      for (const encoding of ['gzip', 'deflate']) {
        for (const { status, message, accepts } of await sendMany(daemon, bomb, encoding)) {
          assert.equal(status, '12', message);
          assert.match(message, new RegExp(`unsupported encoding "${encoding}"`, 'i'));
          assert.equal(accepts, 'identity');
        }
      }
    }
    const peak = await peakMib(daemon);

    t.diagnostic(`${before} MiB before, ${peak} MiB at most`);
    assert.ok(peak < before + 60, `it took ${peak} MiB, before ${before} MiB`);
    assert.equal((await daemon.runtime.version({})).runtimeName, 'podwright');
  },
  { images: [] },
);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
