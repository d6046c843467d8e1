import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference, parseReference, repositoryOf, withTag } from '../../../src/image/reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('parseReference spells names out as docker means them', () => {
  const cases: Readonly<Record<string, string>> = {
    busybox: 'docker.io/library/busybox:latest',
    'busybox:1.36': 'docker.io/library/busybox:1.36',
    'library/busybox': 'docker.io/library/busybox:latest',
    'team/app:v1': 'docker.io/team/app:v1',
    'index.docker.io/busybox': 'docker.io/library/busybox:latest',
    'docker.io/busybox:x': 'docker.io/library/busybox:x',
    'localhost/app': 'localhost/app:latest',
    'localhost:5000/a/b:1': 'localhost:5000/a/b:1',
    'registry.k8s.io/pause:3.9': 'registry.k8s.io/pause:3.9',
    '127.0.0.1:5000/x__y/z-1.2': '127.0.0.1:5000/x__y/z-1.2:latest',
    '[::1]:5000/x': '[::1]:5000/x:latest',
    [`busybox@${DIGEST}`]: `docker.io/library/busybox@${DIGEST}`,
    [`quay.io/x/y:1@${DIGEST}`]: `quay.io/x/y:1@${DIGEST}`,
    'Registry/x': 'Registry/x:latest',
  };
  for (const [text, whole] of Object.entries(cases)) assert.equal(formatReference(withTag(parseReference(text))), whole, text);
  assert.equal(repositoryOf(parseReference('a/b:1')), 'docker.io/a/b');
});

test('parseReference refuses what is no reference', () => {
  const bad = [
    '',
    ':tag',
    'UPPER',
    'a/UPPER',
    'a:',
    'a:b:c',
    'a@sha256:short',
    `a@md5:${'0'.repeat(32)}`,
    'a//b',
    '/a',
    'a/',
    '-a',
    'a..b',
    'a b',
    'a:-tag',
    `a:${'t'.repeat(129)}`,
    '../x',
    'x/../y',
    'a'.repeat(300),
    'f'.repeat(64),
    'http://x/y',
    'host:port/x',
  ];
  for (const text of bad) assert.throws(() => parseReference(text), { kind: 'InvalidArgument' }, JSON.stringify(text));
});
