import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../api/cri/runtime.ts';
import type { Codec } from '../../../api/cri/runtime.ts';
import { shapes } from '../../../api/cri/shapes.ts';
import { Field } from '../../../src/base/field.ts';
import { fromJson, toJson } from '../../../src/base/json.ts';
import { readCriMessage } from '../../../src/podsandbox/cri-message.ts';

type Name = keyof typeof shapes;
type Fields = Record<string, unknown>;

const KEPT = ['PodSandboxConfig', 'ContainerConfig', 'LinuxContainerResources'] as const;

/** A value of a type that is not its default; messages in it have all their fields. */
function sampleOf(type: string): unknown {
  if (type.endsWith('[]')) return [sampleOf(type.slice(0, -2)), sampleOf(type.slice(0, -2))];
  if (type.endsWith('?')) return sampleOf(type.slice(0, -1));
  const samples: Fields = {
    map: { a: '1', __proto: '' },
    string: 'text',
    number: 7,
    boolean: true,
    bigint: 2n ** 60n,
    Uint8Array: new Uint8Array([0, 255]),
  };
  if (Object.hasOwn(samples, type)) return samples[type];
  return Object.fromEntries(Object.entries(shapes[type as Name]).map(([name, each]) => [name, sampleOf(each)]));
}

/** As a record has it, after its way over the disk. */
const onDisk = (message: unknown): Field => new Field(fromJson(toJson(message)), '');

/** As the codec has it: what is left out has its default. */
function byCodec(name: Name, message: unknown): unknown {
  const codec = messages[name] as Codec<unknown>;
  return codec.decode(codec.encode(message as never));
}

/** A message with all its fields, and every one that comes of it by leaving out one field, at any depth. */
function* withoutEach(message: Fields): Generator<{ readonly left: string; readonly message: Fields }> {
  for (const [name, value] of Object.entries(message)) {
    const { [name]: _gone, ...rest } = message;
    yield { left: name, message: rest };
    const inner: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof inner !== 'object' || inner === null || inner instanceof Uint8Array || '__proto' in inner) continue;
    for (const { left, message: changed } of withoutEach(inner as Fields)) {
      const again = Array.isArray(value) ? [changed, ...(value as unknown[]).slice(1)] : changed;
      yield { left: `${name}.${left}`, message: { ...message, [name]: again } };
    }
  }
}

for (const name of KEPT) {
  test(`${name}: any field that a record lacks, at any depth, is read with its default`, () => {
    const whole = sampleOf(name) as Fields;
    assert.deepStrictEqual(readCriMessage(onDisk(whole), name), byCodec(name, whole));
    let left = 0;
    for (const { left: path, message } of withoutEach(whole)) {
      assert.deepStrictEqual(readCriMessage(onDisk(message), name), byCodec(name, message), path);
      left += 1;
    }
    assert.ok(left >= Object.keys(shapes[name]).length, `${left} fields were left out`);
    assert.deepStrictEqual(readCriMessage(onDisk({}), name), byCodec(name, {}));
  });
}

test('a field of another type is refused by its place, at any depth', () => {
  const cases: [unknown, string][] = [
    [null, 'must be an object, is null'],
    [{ labels: { a: 1 } }, 'labels.a: must be text, is 1'],
    [{ mounts: [{}, { hostPath: 5 }] }, 'mounts[1].hostPath: must be text, is 5'],
    [{ mounts: [{ uidMappings: [{ length: 'all' }] }] }, 'mounts[0].uidMappings[0].length: must be a number, is "all"'],
    [{ linux: { resources: { cpuQuota: 1 } } }, 'linux.resources.cpuQuota: must be a 64-bit number, is 1'],
    [{ linux: { resources: { hugepageLimits: {} } } }, 'linux.resources.hugepageLimits: must be a list, is an object'],
    [{ envs: [{ value: 'text' }] }, 'envs[0].value: must be bytes, is "text"'],
    [{ tty: 'yes' }, 'tty: must be true or false, is "yes"'],
    [{ command: null }, 'command: must be a list, is null'],
  ];
  for (const [value, message] of cases) assert.throws(() => readCriMessage(new Field(value, ''), 'ContainerConfig'), { message });
});

test('what is not known here stays, and a name of Object.prototype is only a name', () => {
  const read = readCriMessage(
    onDisk(JSON.parse('{"added": {"a": 1}, "labels": {"__proto__": "x", "constructor": "y"}}')),
    'ContainerConfig',
  );
  assert.deepEqual((read as unknown as Fields)['added'], { a: 1 });
  assert.deepEqual(Object.entries(read.labels), [['__proto__', 'x'], ['constructor', 'y']]); // prettier-ignore
  assert.equal(Object.getPrototypeOf(read.labels), Object.prototype);
});
