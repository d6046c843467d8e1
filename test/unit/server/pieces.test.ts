import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { LISTS } from '../../../src/server/pieces.ts';

test('every stream that is sent in pieces has responses of repeated fields only, so that pieces may be put together', async () => {
  const text = await readFile(new URL('../../../api/cri/api.proto', import.meta.url), 'utf8');
  const streams = [...text.matchAll(/rpc (\w+)\(\w+\) returns \(stream (\w+)\)/g)].map(([, rpc = '', response = '']) => ({
    rpc,
    response,
  }));
  const lists = streams.filter(({ rpc }) => LISTS.test(rpc));
  assert.ok(lists.length >= 6, `${lists.length} lists as streams, of ${streams.length} streams`);
  for (const { response } of lists) {
    const body = new RegExp(`message ${response} \\{([^}]*)\\}`).exec(text)?.[1] ?? assert.fail(`no message ${response}`);
    const fields = body.split('\n').filter((line) => /=/.test(line));
    assert.ok(fields.length > 0 && fields.every((line) => /^ *repeated /.test(line)), `${response}: ${body}`);
  }
});
