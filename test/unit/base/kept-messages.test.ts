import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../api/cri/runtime.ts';
import type { Init, ListContainersResponse } from '../../../api/cri/runtime.ts';
import { encodeKept, keptPerState } from '../../../src/base/kept-messages.ts';

interface Thing {
  readonly record: { readonly id: string };
  readonly state: { readonly image: string };
}

const { ListContainersResponse: response } = messages;
let made = 0;
const messageOf = keptPerState(({ record, state }: Thing) => {
  made += 1;
  return { id: record.id, imageRef: state.image, labels: { of: record.id } };
});

function things(count: number): Thing[] {
  return Array.from({ length: count }, (_, n) => ({ record: { id: `id-${n}` }, state: { image: `image-${n}` } }));
}

test('a list of kept messages has the bytes of the list, each message encoded once', () => {
  let encoded = 0;
  const encode = (list: Init<ListContainersResponse>): Uint8Array => {
    encoded += 1;
    return response.encode(list);
  };
  made = 0;
  for (const count of [1, 3, 3, 20]) {
    const all = things(3);
    const of = Array.from({ length: count }, (_, n) => all[n % 3]!);
    encoded = 0;
    for (let time = 0; time < 2; time += 1) {
      const list = { containers: of.map(messageOf) };
      assert.deepEqual(Buffer.from(encodeKept(encode, list)!), Buffer.from(response.encode(list)));
    }
    assert.equal(encoded, Math.min(count, 3));
  }
  assert.equal(made, 10);
});

test('what is kept holds its own bytes alone, not the pool that they were encoded in', () => {
  const list = { containers: things(1).map(messageOf) };
  const piece = encodeKept(response.encode, list)!;
  assert.equal(piece.buffer.byteLength, piece.length);
  assert.equal(encodeKept(response.encode, list), piece);
});

test('a new state, and a new record, is a new message', () => {
  const [one] = things(1);
  const first = messageOf(one!);
  assert.equal(messageOf({ ...one! }), first);
  assert.equal(messageOf({ record: one!.record, state: { image: 'other' } }).imageRef, 'other');
  assert.equal(messageOf({ record: { id: 'renamed' }, state: one!.state }).id, 'renamed');
});

test('what is no list of kept messages is left to the codec', () => {
  const [kept] = things(1).map(messageOf);
  for (const list of [{ containers: [kept!, { id: 'fresh' }] }, { containers: [{ id: 'fresh' }] }, {}]) {
    assert.equal(encodeKept(response.encode, list), undefined);
  }
  assert.equal(encodeKept(response.encode, { containers: [] })?.length, 0);
  assert.equal(encodeKept(messages.VersionResponse.encode, { version: 'v1' }), undefined);
});
