import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { APIS, camelCase, CRI, generate } from '../../../scripts/generate-codec.ts';
import { readProto } from '../../support/proto-facts.ts';

for (const api of APIS) {
  test(`what ${api.folder} has beside its proto is what npm run generate writes`, async () => {
    for (const [name, text] of Object.entries(generate(await readProto(api), api))) {
      const onDisk = await readFile(new URL(`../../../${api.folder}/${name}`, import.meta.url), 'utf8');
      assert.ok(onDisk === text, `${api.folder}/${name} is stale: run npm run generate`);
    }
  });
}

test('camelCase() keeps words and lowers an initial abbreviation', () => {
  const names = ['pod_sandbox_id', 'CDI_devices', 'uidMappings', 'Avg10', 'fs_id', 'id'].map(camelCase);
  assert.deepEqual(names, ['podSandboxId', 'cdiDevices', 'uidMappings', 'avg10', 'fsId', 'id']);
});

test('generate() refuses what the codec has not learnt', () => {
  const proto = (body: string): string => `syntax = "proto3"; package runtime.v1; message A { ${body} }`;
  for (const body of [
    'map<string, int32> a = 1;',
    'map<int64, string> a = 1;',
    'oneof x { string a = 1; }',
    'fixed32 a = 1;',
    'float a = 1;',
  ]) {
    assert.throws(() => generate(proto(body), CRI), /is not known to scripts\/generate-codec\.ts, teach it/, body);
  }
  assert.match(generate(proto('optional string a = 1;'), CRI)['runtime.ts']!, /a\?: string \| undefined;/);
});
