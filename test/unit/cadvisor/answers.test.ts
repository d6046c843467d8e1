import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerAnswer, infoAnswer } from '../../../src/cadvisor/answers.ts';
import type { ContainerFacts } from '../../../src/cadvisor/backend.ts';
import { isHttp2 } from '../../../src/cadvisor/preface.ts';

const FACTS: ContainerFacts = {
  kind: 'container',
  name: 'k8s_main_web_default_u1_0',
  pid: 17,
  image: 'example.test/web:1',
  imageRef: 'example.test/web@sha256:00',
  createdAtNs: 1_790_000_000_123_456_789n,
  labels: { 'io.kubernetes.container.name': 'main', 'io.kubernetes.pod.name': 'web' },
  annotations: { 'io.kubernetes.container.restartCount': '2' },
  logPath: '/var/log/pods/web/0.log',
  root: '/var/lib/podwright/storage/rootfs/c1',
  sandboxId: 's1',
  ips: ['10.0.0.2'],
  hostNetwork: false,
};

test('what cAdvisor decodes has the names of its fields, and of the types that Go wants', () => {
  const { created_time: createdTime, ...rest } = JSON.parse(JSON.stringify(containerAnswer(FACTS))) as Record<string, unknown>;
  assert.deepEqual(rest, {
    name: FACTS.name,
    pid: 17,
    image: FACTS.image,
    image_ref: FACTS.imageRef,
    labels: FACTS.labels,
    annotations: FACTS.annotations,
    crio_annotations: {},
    log_path: FACTS.logPath,
    root: FACTS.root,
    sandbox: 's1',
    ip_addresses: ['10.0.0.2'],
    host_network: false,
  });
  assert.equal(String(createdTime).slice(0, 16), String(FACTS.createdAtNs).slice(0, 16));
  // An int64 in JSON has no exponent.
  assert.match(JSON.stringify(containerAnswer(FACTS)), /"created_time":\d{19},/);
});

test('a pod is the container POD, whatever its labels say, and pid 0 while nothing runs in it', () => {
  const { labels, pid } = containerAnswer({ ...FACTS, kind: 'pod', pid: undefined });
  assert.deepEqual([labels, pid], [{ 'io.kubernetes.container.name': 'POD', 'io.kubernetes.pod.name': 'web' }, 0]);
});

test('/info names the storage and the cgroup driver', () => {
  const { default_id_mappings: mappings, ...rest } = infoAnswer({ root: '/r', images: '/r', cgroupDriver: 'systemd' });
  assert.deepEqual(rest, { storage_driver: 'overlay', storage_image: '/r', storage_root: '/r', cgroup_driver: 'systemd' });
  assert.deepEqual(Object.keys(mappings as object), ['uids', 'gids']);
  assert.equal(infoAnswer({ root: '/r', images: '/i', cgroupDriver: 'cgroupfs' })['storage_image'], '/i');
});

test('the first bytes tell HTTP/2 from HTTP/1, as soon as they can', () => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  for (const [first, is] of [
    ['', undefined],
    ['P', undefined],
    ['PU', false],
    ['GET / HTTP/1.1', false],
    ['PRI * HTTP/2.0\r\n', undefined],
    ['PRI * HTTP/1.1\r\n', false],
    [preface, true],
    [`${preface}more`, true],
    [preface.replace('SM', 'XX'), false],
  ] as const)
    assert.equal(isHttp2(Buffer.from(first)), is, JSON.stringify(first));
});
