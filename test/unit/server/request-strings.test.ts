import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStrings } from '../../../src/server/request-strings.ts';

test('checkStrings() names the field as the API spells it, and lets what is free text pass', () => {
  const refused = (request: unknown): string => {
    try {
      checkStrings('RunPodSandbox', request);
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

test('a path that is too long, or a part of one, is refused by its field; other texts may be long', () => {
  const message = (config: object): RegExp | string => {
    try {
      checkStrings('CreateContainer', { config });
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.match(
    String(message({ mounts: [{ containerPath: `/${'y/'.repeat(3000)}` }] })),
    /config\.mounts\[0\]\.container_path has 6001 bytes/,
  );
  assert.match(
    String(message({ linux: { securityContext: { maskedPaths: ['/a', `/${'é'.repeat(128)}`] } } })),
    /a part of config\.linux\.security_context\.masked_paths\[1\] has 256 bytes/,
  );
  assert.equal(message({ workingDir: `/${'y/'.repeat(2000)}`, command: ['z'.repeat(10_000)] }), '');
});
