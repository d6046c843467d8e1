import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseNulBytes } from '../../../src/server/request-strings.ts';

test('refuseNulBytes() names the field as the API spells it, and lets what is free text pass', () => {
  const refused = (request: unknown): string => {
    try {
      refuseNulBytes('RunPodSandbox', request);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.match(
    refused({ config: { linux: { cgroupParent: '/a\0b' } } }),
    /^RunPodSandbox: config\.linux\.cgroup_parent contains a NUL byte/,
  );
  assert.match(refused({ config: { mounts: [{ hostPath: '/' }, { hostPath: '/\0' }] } }), /config\.mounts\[1\]\.host_path/);
  assert.match(refused({ config: { labels: { 'a\0': '' } } }), /a key of config\.labels/);
  assert.equal(
    refused({ config: { annotations: { note: 'a\0b' } }, auth: { password: '\0' }, value: new Uint8Array(3), n: 1n, none: undefined }),
    '',
  );
});
