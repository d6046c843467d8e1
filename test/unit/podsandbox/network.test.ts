import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Protocol } from '../../../api/cri/enums.ts';
import { attachRequest, detachRequest, parseRate } from '../../../src/podsandbox/network.ts';
import { sandbox, SANDBOX_ID } from '../../support/objects.ts';

const POD = { name: 'web-0', namespace: 'shop', uid: 'u-1' };
const NETNS = '/run/podwright/ns/x/net';

test('a rate is a quantity of bits per second, decimal or binary', () => {
  assert.deepStrictEqual(['10M', '1k', '1K', '2Gi', '1.5M', '500', '1T', '1P', '1Ki'].map(parseRate), [
    10e6,
    1e3,
    1e3,
    2 * 2 ** 30,
    1.5e6,
    500,
    1e12,
    1e15,
    1024,
  ]);
});

test('what is no quantity is no rate', () => {
  for (const text of [undefined, '', 'M', '10MB', '-1M', '10 M', '1e3', 'ten', '1.M', '5ki'])
    assert.equal(parseRate(text), undefined, text);
});

test('a plain pod asks CNI for no capability', () => {
  assert.deepStrictEqual(attachRequest(sandbox().record, NETNS), {
    containerId: SANDBOX_ID,
    netnsPath: NETNS,
    pod: POD,
    capabilityArgs: {},
  });
});

test('port mappings with a host port and bandwidth annotations reach CNI', () => {
  const { record } = sandbox({
    init: {
      metadata: POD,
      portMappings: [
        { protocol: Protocol.TCP, containerPort: 80, hostPort: 8080, hostIp: '192.0.2.1' },
        { protocol: Protocol.UDP, containerPort: 53, hostPort: 5353 },
        { protocol: Protocol.SCTP, containerPort: 9, hostPort: 9 },
        { protocol: Protocol.TCP, containerPort: 81 },
      ],
      annotations: { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': 'much' },
    },
  });
  assert.deepStrictEqual(attachRequest(record, NETNS).capabilityArgs, {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' },
      { hostPort: 5353, containerPort: 53, protocol: 'udp', hostIP: '' },
      { hostPort: 9, containerPort: 9, protocol: 'sctp', hostIP: '' },
    ],
    bandwidth: { ingressRate: 10e6 },
  });
});

test('a detach names the pod, and the namespace only while it is there', () => {
  assert.deepStrictEqual(detachRequest(sandbox().record, undefined), { containerId: SANDBOX_ID, netnsPath: undefined, pod: POD });
});
