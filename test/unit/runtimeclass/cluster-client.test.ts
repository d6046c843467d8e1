/** The client against an HTTPS server that gives the answers of an API server, 1.37. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { readCluster } from '../../../src/runtimeclass/cluster-client.ts';
import { makeSelfSigned } from '../../support/self-signed.ts';

const TOKEN = 'the-token-of-a-test';
const CLASSES = {
  kind: 'RuntimeClassList',
  apiVersion: 'node.k8s.io/v1',
  metadata: { resourceVersion: '7' },
  items: [
    {
      metadata: { name: 'gvisor', uid: 'a' },
      handler: 'runsc',
      overhead: { podFixed: { cpu: '50m', memory: '64Mi' } },
      scheduling: { nodeSelector: { sandbox: 'yes' }, tolerations: [{ key: 'sandbox', operator: 'Exists' }] },
    },
    { metadata: { name: 'runc', uid: 'b' }, handler: 'runc' },
  ],
};
/** What GET /api/v1 says of nodes: the client looks up where they are. */
const RESOURCES = {
  kind: 'APIResourceList',
  groupVersion: 'v1',
  resources: [{ name: 'nodes', singularName: 'node', namespaced: false, kind: 'Node', verbs: ['get', 'list'] }],
};
const NODE = {
  kind: 'Node',
  apiVersion: 'v1',
  metadata: { name: 'n1', labels: { sandbox: 'yes' } },
  spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
};

function failure(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code };
}

let folder: string;
let server: Server;
let answers: Record<string, [code: number, body: object]>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podwright-cluster-'));
  await makeSelfSigned(folder, 'api');
  const [cert, key] = await Promise.all(['api.crt', 'api.key'].map(async (name) => readFile(join(folder, name))));
  server = createServer({ cert, key }, ({ url = '', headers }, response) => {
    const known = headers.authorization === `Bearer ${TOKEN}`;
    const [code, body] = known
      ? (answers[url.replace(/\?.*/, '')] ?? [404, failure(404, `nothing at ${url}`)])
      : [401, failure(401, 'Unauthorized')];
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  answers = { '/apis/node.k8s.io/v1/runtimeclasses': [200, CLASSES], '/api/v1': [200, RESOURCES], '/api/v1/nodes/n1': [200, NODE] };
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await remove(folder);
});

async function kubeconfig(token = TOKEN, port = (server.address() as AddressInfo).port): Promise<string> {
  const file = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': join(folder, 'api.crt') } }],
    users: [{ name: 'u', user: { token } }],
  };
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  return file;
}

test('classes and the node come as they are in the cluster', async () => {
  const { classes, node, server: url } = await readCluster(await kubeconfig(), 'n1');
  assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(classes[0]?.overhead, { cpu: '50m', memory: '64Mi' });
  assert.deepEqual(classes[0].nodeSelector, { sandbox: 'yes' });
  assert.deepEqual(
    classes[0].tolerations.map(({ key, operator }) => [key, operator]),
    [['sandbox', 'Exists']],
  );
  assert.deepEqual(classes[1], { name: 'runc', handler: 'runc', overhead: {}, nodeSelector: {}, tolerations: [] });
  assert.deepEqual(node, {
    name: 'n1',
    labels: { sandbox: 'yes' },
    taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }],
    isUnschedulable: true,
  });
});

test('what the API server refuses comes in its words', async () => {
  answers['/apis/node.k8s.io/v1/runtimeclasses'] = [403, failure(403, 'runtimeclasses.node.k8s.io is forbidden: User "x" cannot list')];
  await assert.rejects(readCluster(await kubeconfig(), 'n1'), {
    kind: 'PermissionDenied',
    message: /^list RuntimeClasses of https:.*: forbidden: .*User "x" cannot list$/,
  });
  await assert.rejects(readCluster(await kubeconfig('wrong'), 'n1'), {
    kind: 'PermissionDenied',
    message: /does not know these credentials$/,
  });
});

test('a node that is named must be there; this machine need not be one', async () => {
  await assert.rejects(readCluster(await kubeconfig(), 'n2'), { kind: 'NotFound', message: /^get node n2 of https:.*nothing at/ });
  const { node, nodeFault, classes } = await readCluster(await kubeconfig(), undefined);
  assert.deepEqual([node, classes.length], [undefined, 2]);
  assert.match(nodeFault ?? '', /get node .*; --node names another$/);
});

test('a file that is no kubeconfig, and a server that is not there, are named', async () => {
  await assert.rejects(readCluster(join(folder, 'none'), 'n1'), {
    kind: 'InvalidArgument',
    message: /none: .*ENOENT.*must be a kubeconfig/,
  });
  await writeFile(join(folder, 'empty'), '{}');
  await assert.rejects(readCluster(join(folder, 'empty'), 'n1'), { kind: 'InvalidArgument' });
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  await assert.rejects(readCluster(await kubeconfig(TOKEN, port), 'n1'), { kind: 'Unavailable', message: /ECONNREFUSED/ });
});
