import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOfBytes } from '../../../src/ocispec/text-of-bytes.ts';
import { processorMsOf } from '../../support/processor-time.ts';

test('textOfBytes() leaves text as it is', () => {
  for (const text of ['', 'plain', 'ü ß \u20ac \u{1f600} \ufeff\ufffd \u{10ffff} \ud7ff\ue000', '\0'])
    assert.deepEqual(textOfBytes(Buffer.from(text)), { text, isExact: true });
});

test('textOfBytes() puts U+FFFD in place of each byte that is part of no character', () => {
  const bad = '\ufffd';
  const cases: readonly [bytes: number[], text: string][] = [
    [[0x66, 0xff, 0xfe], `f${bad}${bad}`],
    [[0x80, 0x61], `${bad}a`],
    [[0xe2, 0x82], bad + bad], // the euro sign, cut
    [[0xe2, 0x82, 0x61], `${bad}${bad}a`],
    [[0xc0, 0xaf], bad + bad], // overlong
    [[0xe0, 0x80, 0xaf], bad.repeat(3)],
    [[0xed, 0xa0, 0x80], bad.repeat(3)], // a surrogate
    [[0xf4, 0x90, 0x80, 0x80], bad.repeat(4)], // beyond U+10FFFF
    [[0xf0, 0x9f, 0x98], bad.repeat(3)],
    [[0xc3, 0xbc, 0xc3], `ü${bad}`],
  ];
  for (const [bytes, text] of cases) assert.deepEqual(textOfBytes(Uint8Array.from(bytes)), { text, isExact: false });
});

test('textOfBytes() is quick with a megabyte of bad bytes', () => {
  let length = 0;
  const tookMs = processorMsOf(() => {
    ({ length } = textOfBytes(Buffer.alloc(1024 * 1024, 0xff)).text);
  });
  assert.equal(length, 1024 * 1024);
  assert.ok(tookMs < 1_000, `${tookMs} ms of processor time`);
});
