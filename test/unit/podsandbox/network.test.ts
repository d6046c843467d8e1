import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Protocol } from '../../../api/cri/enums.ts';
import { attachRequest, detachRequest } from '../../../src/podsandbox/network.ts';
import { sandbox, SANDBOX_ID } from '../../support/objects.ts';

const POD = { name: 'web-0', namespace: 'shop', uid: 'u-1' };
const NETNS = '/run/podwright/ns/x/net';

test('a plain pod has its annotations told, and nothing else', () => {
  assert.deepStrictEqual(attachRequest(sandbox().record, NETNS), {
    containerId: SANDBOX_ID,
    netnsPath: NETNS,
    pod: POD,
    handler: 'runc',
    capabilityArgs: { 'io.kubernetes.cri.pod-annotations': {} },
  });
});

test('port mappings with a host port, bandwidth, DNS, cgroup and annotations reach CNI', () => {
  const { record } = sandbox({
    init: {
      metadata: POD,
      portMappings: [
        { protocol: Protocol.TCP, containerPort: 80, hostPort: 8080, hostIp: '192.0.2.1' },
        { protocol: Protocol.UDP, containerPort: 53, hostPort: 5353 },
        { protocol: Protocol.SCTP, containerPort: 9, hostPort: 9 },
        { protocol: Protocol.TCP, containerPort: 81 },
      ],
      annotations: { 'kubernetes.io/ingress-bandwidth': '10M' },
      dnsConfig: { servers: ['192.0.2.53'], searches: ['shop.example'] },
      linux: { cgroupParent: '/kubepods/pod1' },
    },
  });
  assert.deepStrictEqual(attachRequest(record, NETNS).capabilityArgs, {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' },
      { hostPort: 5353, containerPort: 53, protocol: 'udp', hostIP: '' },
      { hostPort: 9, containerPort: 9, protocol: 'sctp', hostIP: '' },
    ],
    bandwidth: { ingressRate: 10e6, ingressBurst: 10e6 },
    dns: { servers: ['192.0.2.53'], searches: ['shop.example'], options: [] },
    cgroupPath: '/kubepods/pod1',
    'io.kubernetes.cri.pod-annotations': { 'kubernetes.io/ingress-bandwidth': '10M' },
  });
});

test('a detach names the pod, and the namespace only while it is there', () => {
  assert.deepStrictEqual(detachRequest(sandbox().record, undefined), {
    containerId: SANDBOX_ID,
    netnsPath: undefined,
    pod: POD,
    handler: 'runc',
  });
});
