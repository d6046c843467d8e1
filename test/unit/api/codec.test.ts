/** The generated codec against protobufjs's reflection, on every message type. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { messages, NamespaceMode } from '../../../api/cri/runtime.ts';
import * as nri from '../../../api/nri/messages.ts';
import * as ttrpc from '../../../api/ttrpc/messages.ts';
import { CRI, NRI, TTRPC } from '../../../scripts/generate-codec.ts';
import { parseProto, readProto, typesOf } from '../../support/proto-facts.ts';
import { fromReflection, RandomMessages, seededRandom, toReflection } from '../../support/random-messages.ts';

const ROUNDS = 40;
/** A codec of any type of message. */
interface AnyCodec {
  encode(message: object): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}
const PROTOS = await Promise.all(
  [
    { api: CRI, codecs: messages as Readonly<Record<string, AnyCodec>> },
    { api: NRI, codecs: nri.messages as Readonly<Record<string, AnyCodec>> },
    { api: TTRPC, codecs: ttrpc.messages as Readonly<Record<string, AnyCodec>> },
  ].map(async ({ api, codecs }) => ({ api, codecs, types: typesOf(parseProto(await readProto(api), api)) })),
);

for (const { api, codecs, types } of PROTOS) {
  const codecOf = (type: protobuf.Type): AnyCodec => codecs[type.name]!;

  test(`${api.package}: every message type of the proto has a codec, and no other`, () => {
    assert.deepEqual(Object.keys(codecs).sort(), types.map((type) => type.name).sort());
  });

  test(`${api.package}: what the codec writes is what reflection reads, and the other way round`, () => {
    for (const [index, type] of types.entries()) {
      const source = new RandomMessages(index + 1);
      const codec = codecOf(type);
      for (let round = 0; round < ROUNDS; round += 1) {
        const message = source.message(type);
        const written = codec.encode(message);
        assert.deepEqual(codec.decode(written), message, `${type.name}, round ${round}: own round trip`);
        assert.deepEqual(fromReflection(type, type.decode(written) as never), message, `${type.name}, round ${round}: read by reflection`);
        assert.deepEqual(
          codec.decode(type.encode(toReflection(type, message)).finish()),
          message,
          `${type.name}, round ${round}: written by reflection`,
        );
      }
    }
  });

  test(`${api.package}: an empty message has every scalar, list and map, and no message field`, () => {
    for (const type of types) {
      const empty = fromReflection(type, {});
      assert.deepEqual(codecOf(type).decode(new Uint8Array(0)), empty, type.name);
      assert.equal(codecOf(type).encode({}).length, 0, type.name);
      assert.equal(codecOf(type).encode(empty).length, 0, `${type.name} with all its defaults`);
    }
  });

  test(`${api.package}: fields of a later version are skipped, whatever their wire type`, () => {
    const extra = fieldsOfLater();
    for (const [index, type] of types.entries()) {
      const message = new RandomMessages(index + 1000).message(type);
      const written = codecOf(type).encode(message);
      assert.deepEqual(codecOf(type).decode(Buffer.concat([extra, written, extra])), message, type.name);
    }
  });
}

function fieldsOfLater(): Uint8Array {
  const later = protobuf.Writer.create();
  later.uint32((9000 << 3) | 0).uint64(1);
  later.uint32((9001 << 3) | 1).fixed64(2);
  later.uint32((9002 << 3) | 2).string('x');
  later
    .uint32((9003 << 3) | 3)
    .uint32((5 << 3) | 0)
    .uint32(1)
    .uint32((9003 << 3) | 4);
  later.uint32((9004 << 3) | 5).fixed32(3);
  return later.finish();
}

test('a known field with another wire type is skipped as an unknown one', () => {
  const bytes = protobuf.Writer.create()
    .uint32((1 << 3) | 0)
    .uint32(7)
    .uint32((2 << 3) | 2)
    .string('x')
    .finish();
  assert.deepEqual(messages.ContainerMetadata.decode(bytes), { name: '', attempt: 0 });
});

test('two pieces of a message are merged, lists are joined and scalars replaced', () => {
  const { PodSandboxConfig } = messages;
  const first = PodSandboxConfig.encode({
    hostname: 'a',
    metadata: { name: 'n', uid: 'u' },
    dnsConfig: { servers: ['1'] },
    labels: { a: '1', b: '1' },
  });
  const second = PodSandboxConfig.encode({ hostname: 'b', metadata: { uid: 'v' }, dnsConfig: { servers: ['2'] }, labels: { a: '2' } });

  const { hostname, metadata, dnsConfig, labels } = PodSandboxConfig.decode(Buffer.concat([first, second]));
  assert.equal(hostname, 'b');
  assert.deepEqual(metadata, { name: 'n', uid: 'v', namespace: '', attempt: 0 });
  assert.deepEqual(dnsConfig?.servers, ['1', '2']);
  assert.deepEqual(labels, { a: '2', b: '1' });
});

test('numbers in a list are read packed and one by one', () => {
  const expected = [1n, -5n, 2n ** 63n - 1n];
  const packed = messages.LinuxContainerUser.encode({ supplementalGroups: expected });
  const single = protobuf.Writer.create();
  for (const { low, high } of [
    { low: 1, high: 0 },
    { low: -5, high: -1 },
    { low: -1, high: 0x7fffffff },
  ]) {
    single.uint32((3 << 3) | 0).int64({ low, high, unsigned: false });
  }
  assert.deepEqual(messages.LinuxContainerUser.decode(packed).supplementalGroups, expected);
  assert.deepEqual(messages.LinuxContainerUser.decode(single.finish()).supplementalGroups, expected);
  assert.deepEqual(messages.LinuxContainerUser.decode(Buffer.concat([packed, single.finish()])).supplementalGroups, [
    ...expected,
    ...expected,
  ]);
});

test('every byte sequence of an environment variable survives, and does not hold on to its request', () => {
  const value = Uint8Array.from({ length: 256 }, (_, index) => index);
  const bytes = messages.ContainerConfig.encode({ envs: [{ key: 'K', value }] });

  const decoded = messages.ContainerConfig.decode(bytes).envs[0]!.value;
  assert.deepEqual(decoded, value);
  assert.ok(!Buffer.isBuffer(decoded));
  assert.equal(decoded.buffer.byteLength, 256);
});

test('a 64-bit integer that does not fit is refused, not cut', () => {
  const { Int64Value, UInt64Value } = messages;
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) assert.throws(() => Int64Value.encode({ value }), RangeError);
  for (const value of [2n ** 64n, -1n]) assert.throws(() => UInt64Value.encode({ value }), RangeError);
});

test('a string that is not UTF-8 is refused, half a surrogate pair goes out as a replacement character', () => {
  const { ContainerMetadata } = messages;
  for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], Array.from({ length: 100 }, () => 0x80)]) {
    assert.throws(() => ContainerMetadata.decode(Uint8Array.of(10, bad.length, ...bad)), TypeError);
    assert.throws(() => ContainerMetadata.decode(Buffer.from([10, bad.length, ...bad])), TypeError);
  }
  for (const text of ['a\ud800b', `${'x'.repeat(100)}\udc00`, `${'y'.repeat(300)}\ud83d`]) {
    assert.equal(ContainerMetadata.decode(ContainerMetadata.encode({ name: text })).name, text.toWellFormed());
  }
});

test('an enum keeps a number of a later version', () => {
  const { NamespaceOption } = messages;
  assert.equal(NamespaceOption.decode(NamespaceOption.encode({ pid: 77 })).pid, 77);
  assert.equal(NamespaceOption.decode(NamespaceOption.encode({ pid: NamespaceMode.TARGET })).pid, 3);
});

test('map keys such as __proto__ are keys like any other', () => {
  const { PodSandboxConfig } = messages;
  const labels = JSON.parse('{"__proto__":"a","constructor":"b","":"c"}') as Record<string, string>;

  const decoded = PodSandboxConfig.decode(PodSandboxConfig.encode({ labels })).labels;
  assert.deepEqual(Object.entries(decoded).sort(), Object.entries(labels).sort());
  assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
});

test('maps by number and maps to messages keep their entries, and the last of one key counts', () => {
  const { OwningPlugins, FieldOwners } = nri.messages;
  const owners = {
    c1: { simple: { [nri.Field.Args]: 'a', [-1]: 'b' }, compound: { [nri.Field.Env]: { owners: { PATH: 'c' } } } },
    ['__proto__']: { simple: {}, compound: {} },
  };
  assert.deepEqual(OwningPlugins.decode(OwningPlugins.encode({ owners })).owners, owners);

  const twice = [
    FieldOwners.encode({ simple: { 7: 'a' }, compound: { 6: { owners: { X: 'a' } } } }),
    FieldOwners.encode({ simple: { 7: 'b' }, compound: { 6: { owners: { Y: 'b' } } } }),
  ];
  assert.deepEqual(FieldOwners.decode(Buffer.concat(twice)), { simple: { 7: 'b' }, compound: { 6: { owners: { Y: 'b' } } } });
  const withoutKeyOrValue = Uint8Array.of((1 << 3) | 2, 0, (2 << 3) | 2, 0);
  assert.deepEqual(FieldOwners.decode(withoutKeyOrValue), { simple: { 0: '' }, compound: { 0: { owners: {} } } });
});

test('cut and damaged messages are read or refused, never more', () => {
  const random = seededRandom(7);
  const names = ['ContainerConfig', 'PodSandboxConfig', 'LinuxContainerUser', 'Container', 'OwningPlugins', 'Response'];
  for (const { codecs, types } of PROTOS) {
    for (const type of types.filter(({ name }) => names.includes(name))) {
      const codec = codecs[type.name]!;
      const whole = codec.encode(new RandomMessages(3).message(type));
      for (let cut = 0; cut < whole.length; cut += 1) {
        const damaged = Buffer.from(whole);
        damaged[cut] = Math.floor(random() * 256);
        for (const bytes of [whole.subarray(0, cut), damaged]) {
          try {
            codec.decode(bytes);
          } catch (error) {
            assert.ok(error instanceof Error);
          }
        }
      }
    }
  }
});
