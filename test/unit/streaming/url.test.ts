import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStreamPath, reachableHost, streamUrl } from '../../../src/streaming/url.ts';

test('streamUrl names scheme, host, port, kind and token', () => {
  assert.equal(streamUrl({ tls: false, host: '127.0.0.1', port: 10010 }, 'exec', 'abc'), 'http://127.0.0.1:10010/exec/abc');
  assert.equal(streamUrl({ tls: true, host: '::1', port: 1 }, 'portforward', 'abc'), 'https://[::1]:1/portforward/abc');
});

test('parseStreamPath reads what streamUrl wrote, and nothing else', () => {
  assert.deepEqual(parseStreamPath('/attach/a-b_C1?command=x'), { kind: 'attach', token: 'a-b_C1' });
  for (const target of ['/', '/exec/', '/exec', '/exec/a/b', '/run/abc', '/exec/a%20b', 'exec/abc', '//exec/abc']) {
    assert.equal(parseStreamPath(target), undefined, target);
  }
});

test('reachableHost puts the loopback address in place of every address', () => {
  assert.deepEqual(['', '0.0.0.0', '::', '10.0.0.1'].map(reachableHost), ['127.0.0.1', '127.0.0.1', '::1', '10.0.0.1']);
});
