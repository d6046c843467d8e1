import assert from 'node:assert/strict';
import { test } from 'node:test';
import { services } from '../../../api/cri/runtime.ts';
import { factsOf, readFactsFile, readProto, readTag } from '../../support/cri-facts.ts';

test('api.proto has the facts of the tag that README.md names', async () => {
  assert.deepEqual({ tag: await readTag(), ...factsOf(await readProto()) }, await readFactsFile());
});

test('the services table has the paths and the streaming of all 43 RPCs', async () => {
  const { rpcs } = await readFactsFile();
  const expected = rpcs.map((line) => {
    const [, service, rpc, stream] = /^(\w+): (\w+)\(\w+\) (stream )?/.exec(line)!;
    return `/runtime.v1.${service!}/${rpc!} ${String(stream !== undefined)}`;
  });
  const actual = [...Object.values(services.RuntimeService), ...Object.values(services.ImageService)];
  assert.equal(actual.length, 43);
  assert.deepEqual(actual.map(({ path, responseStream }) => `${path} ${String(responseStream)}`).sort(), expected.sort());
});

test('a change of a number, a label, a type or of streaming is a difference', async () => {
  const proto = await readProto();
  const facts = factsOf(proto);
  const faults = [
    proto.replace('uint32 attempt = 4;', 'uint32 attempt = 5;'),
    proto.replace('repeated string searches', 'string searches'),
    proto.replace('bytes value = 2', 'string value = 2'),
    proto.replace('returns (stream ContainerEventResponse)', 'returns (ContainerEventResponse)'),
    proto.replace('CONTAINER_EXITED = 2', 'CONTAINER_EXITED = 4'),
    proto.replace('repeated int64 supplemental_groups = 3', 'repeated int64 supplemental_groups = 3 [packed = false]'),
    proto.replace('map<string, string> sysctls', 'map<string, bytes> sysctls'),
  ];
  for (const fault of faults) {
    assert.notEqual(fault, proto);
    assert.notDeepEqual(factsOf(fault), facts);
  }
});
