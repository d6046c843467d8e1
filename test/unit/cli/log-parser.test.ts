import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogParser } from '../../../src/cli/log-parser.ts';
import type { LogFilter } from '../../../src/cli/log-parser.ts';

const AT = (second: number): string => `2026-01-02T03:04:${String(second).padStart(2, '0')}.123456789+00:00`;
const LOG = [
  `${AT(1)} stdout F one`,
  `${AT(2)} stdout P two, `,
  `${AT(3)} stderr F wrong`,
  `${AT(4)} stdout P still two, `,
  `${AT(5)} stdout F end of two`,
  `${AT(6)} stderr F `,
  `${AT(7)} stdout F`,
  `${AT(8)} stdout F:later-tag  spaces  stay `,
  '',
].join('\n');

/** What comes out of each stream, and of both in order, when the log is taken in pieces of this size. */
function parse(
  log: Buffer | string,
  pieceBytes: number,
  filter: Partial<LogFilter> = {},
): { stdout: string; stderr: string; both: string } {
  const out = { stdout: '', stderr: '', both: '' };
  const parser = new LogParser({ timestamps: false, ...filter }, (stream, text) => {
    out[stream] += text.toString('latin1');
    out.both += text.toString('latin1');
  });
  const bytes = Buffer.from(log);
  for (let at = 0; at < bytes.length; at += pieceBytes) parser.push(bytes.subarray(at, at + pieceBytes), at);
  return out;
}

test('each stream gets its own text, pieces of a line together, however the bytes come', () => {
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    const { stdout, stderr } = parse(LOG, size);
    assert.equal(stdout, 'one\ntwo, still two, end of two\n\n spaces  stay \n', `in pieces of ${size}`);
    assert.equal(stderr, 'wrong\n\n');
  }
});

test('a time stands before each line, not before its pieces', () => {
  const { stdout, stderr } = parse(LOG, 5, { timestamps: true });
  assert.equal(stdout, `${AT(1)} one\n${AT(2)} two, still two, end of two\n${AT(7)} \n${AT(8)}  spaces  stay \n`);
  assert.equal(stderr, `${AT(3)} wrong\n${AT(6)} \n`);
});

test('lines that began before a time are left out whole', () => {
  const { stdout, stderr } = parse(LOG, 9, { sinceMs: Date.parse(AT(4)) });
  assert.equal(stdout, '\n spaces  stay \n');
  assert.equal(stderr, '\n');
});

test('lines before where a stream begins to count are left out, but not in the next file', () => {
  const stderrAt = LOG.indexOf(AT(6));
  const from = { stdout: LOG.indexOf(AT(2)), stderr: stderrAt };
  const out = parse(LOG, 11, { from });
  assert.equal(out.stdout, 'two, still two, end of two\n\n spaces  stay \n');
  assert.equal(out.stderr, '\n');
  let next = '';
  const parser = new LogParser({ timestamps: false, from }, (_stream, text) => { next += text.toString(); }); // prettier-ignore
  parser.push(Buffer.from(LOG), 0);
  next = '';
  parser.nextFile();
  parser.push(Buffer.from(`${AT(9)} stdout F new\n`), 0);
  assert.equal(next, 'new\n');
});

test('what is no line of a log is shown as it is', () => {
  const odd = `cannot open the log\n${AT(1)} stdout F fine\n${AT(2)} stdlog F no such stream\n${'x'.repeat(500)}\n`;
  for (const size of [1, 40, 10_000]) {
    assert.equal(
      parse(odd, size).both,
      `cannot open the log\nfine\n${AT(2)} stdlog F no such stream\n${'x'.repeat(500)}\n`,
      `in pieces of ${size}`,
    );
  }
});

test('a line of any length and of any bytes goes through, and none of it is kept', () => {
  const parser = new LogParser({ timestamps: false }, (_stream, text) => { seen += text.length; }); // prettier-ignore
  let seen = 0;
  const piece = Buffer.alloc(1 << 20, 0xff);
  parser.push(Buffer.from(`${AT(1)} stdout F `), 0);
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 200; round += 1) parser.push(piece, 0);
  assert.equal(seen, 200 << 20);
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
});
