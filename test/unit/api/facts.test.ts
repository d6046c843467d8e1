import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CRI } from '../../../scripts/generate-codec.ts';
import * as nri from '../../../api/nri/messages.ts';
import { services } from '../../../api/cri/runtime.ts';
import { CRI_API, factsOf, NRI_API, readFactsFile, readProto, readTag, UPSTREAMS } from '../../support/proto-facts.ts';

for (const upstream of UPSTREAMS) {
  const { api } = upstream;
  test(`${api.folder}/api.proto has the facts of the tag that README.md names`, async () => {
    assert.deepEqual({ tag: await readTag(upstream), ...factsOf(await readProto(api), api) }, await readFactsFile(upstream));
  });
}

test('the services table has the paths and the streaming of all 43 RPCs', async () => {
  const { rpcs } = await readFactsFile(CRI_API);
  const expected = rpcs.map((line) => {
    const [, service, rpc, stream] = /^(\w+): (\w+)\(\w+\) (stream )?/.exec(line)!;
    return `/runtime.v1.${service!}/${rpc!} ${String(stream !== undefined)}`;
  });
  const actual = [...Object.values(services.RuntimeService), ...Object.values(services.ImageService)];
  assert.equal(actual.length, 43);
  assert.deepEqual(actual.map(({ path, responseStream }) => `${path} ${String(responseStream)}`).sort(), expected.sort());
});

test('the tables of NRI have every call with the messages of its request and response', async () => {
  const { rpcs } = await readFactsFile(NRI_API);
  const nameOf = (codec: unknown): string => Object.entries(nri.messages).find(([, one]) => one === codec)![0];
  const tables = { Plugin: nri.PluginMethods, Runtime: nri.RuntimeMethods, HostFunctions: nri.HostFunctionsMethods };
  const actual = Object.entries(tables).flatMap(([service, calls]) =>
    Object.entries(calls).map(([name, { request, response }]) => `${service}: ${name}(${nameOf(request)}) ${nameOf(response)}`),
  );
  assert.deepEqual(actual.sort(), rpcs);
  assert.deepEqual([nri.PLUGIN_SERVICE, nri.RUNTIME_SERVICE], ['nri.pkg.api.v1alpha1.Plugin', 'nri.pkg.api.v1alpha1.Runtime']);
});

test('a change of a number, a label, a type or of streaming is a difference', async () => {
  const proto = await readProto();
  const facts = factsOf(proto, CRI);
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
    assert.notDeepEqual(factsOf(fault, CRI), facts);
  }
});
