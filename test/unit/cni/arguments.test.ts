import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeConfigFor } from '../../../src/cni/capability-args.ts';
import { cniArgs } from '../../../src/cni/cni-args.ts';

test('runtimeConfigFor gives a plugin the arguments of the capabilities it declares, and no others', () => {
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' as const }];
  const args = { portMappings, bandwidth: { ingressRate: 1000 }, aliases: [] };
  assert.deepEqual(runtimeConfigFor(['portMappings', 'aliases', 'ips'], args), { portMappings });
  assert.equal(runtimeConfigFor(['ips'], args), undefined);
  assert.equal(runtimeConfigFor([], args), undefined);
});

test('cniArgs names the pod as Kubernetes plugins expect it', () => {
  assert.equal(
    cniArgs('abc', { name: 'web', namespace: 'shop', uid: 'u-1' }),
    'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1',
  );
});

test('cniArgs refuses a value that would add arguments', () => {
  assert.throws(() => cniArgs('abc', { name: 'web;IP=10.0.0.1', namespace: 'shop', uid: 'u' }), {
    kind: 'InvalidArgument',
    message: 'K8S_POD_NAME for CNI plugins is "web;IP=10.0.0.1", must be without ";"',
  });
});
