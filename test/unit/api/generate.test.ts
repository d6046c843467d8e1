import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { camelCase, generate } from '../../../scripts/generate-cri.ts';
import { readProto } from '../../support/cri-facts.ts';

test('enums.ts and runtime.ts are what npm run generate writes', async () => {
  for (const [name, text] of Object.entries(generate(await readProto()))) {
    const onDisk = await readFile(new URL(`../../../api/cri/${name}`, import.meta.url), 'utf8');
    assert.ok(onDisk === text, `api/cri/${name} is stale: run npm run generate`);
  }
});

test('camelCase() keeps words and lowers an initial abbreviation', () => {
  const names = ['pod_sandbox_id', 'CDI_devices', 'uidMappings', 'Avg10', 'fs_id', 'id'].map(camelCase);
  assert.deepEqual(names, ['podSandboxId', 'cdiDevices', 'uidMappings', 'avg10', 'fsId', 'id']);
});

test('generate() refuses what the codec has not learnt', () => {
  const proto = (body: string): string => `syntax = "proto3"; package runtime.v1; message A { ${body} }`;
  for (const body of ['map<string, int32> a = 1;', 'oneof x { string a = 1; }', 'fixed32 a = 1;', 'float a = 1;']) {
    assert.throws(() => generate(proto(body)), /is not known to scripts\/generate-cri\.ts, teach it/, body);
  }
  assert.match(generate(proto('optional string a = 1;'))['runtime.ts']!, /a\?: string \| undefined;/);
});
