/** The examples of deploy/kubernetes are YAML of the kinds that they say, and name our socket and handlers. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadAll } from 'js-yaml';
import { defaultSettings } from '../../src/config/overlay.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/kubernetes');
/** Where the daemon listens by default. */
const SOCKET = `unix://${defaultSettings().runDir}/podwright.sock`;
/** Every field that an example may have, by its kind: kubeadm v1beta4, kubelet v1beta1, node.k8s.io/v1. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'kubeadm.k8s.io/v1beta4 InitConfiguration': ['nodeRegistration.criSocket'],
  'kubeadm.k8s.io/v1beta4 ClusterConfiguration': ['networking.podSubnet'],
  'kubeadm.k8s.io/v1beta4 JoinConfiguration': [
    'nodeRegistration.criSocket',
    'discovery.bootstrapToken.apiServerEndpoint',
    'discovery.bootstrapToken.token',
    'discovery.bootstrapToken.caCertHashes',
  ],
  'kubelet.config.k8s.io/v1beta1 KubeletConfiguration': [
    'containerRuntimeEndpoint',
    'seccompDefault',
    'containerLogMaxSize',
    'containerLogMaxFiles',
    'featureGates.PodAndContainerStatsFromCRI',
  ],
  'node.k8s.io/v1 RuntimeClass': ['metadata.name', 'handler', 'scheduling.nodeSelector.podwright.io/crun'],
};

type Document = Readonly<Record<string, unknown>>;

function flat(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) => flat(inner, path === '' ? name : `${path}.${name}`));
}

async function documents(name: string): Promise<Document[]> {
  return loadAll(await readFile(join(FOLDER, name), 'utf8')) as Document[];
}

test('each document has a kind that is known and none but its fields', async () => {
  const names = await readdir(FOLDER);
  assert.deepEqual(names.sort(), ['kubeadm.yaml', 'kubelet.yaml', 'runtimeclasses.yaml']);
  for (const name of names)
    for (const { apiVersion, kind, ...fields } of await documents(name)) {
      const known = FIELDS[`${String(apiVersion)} ${String(kind)}`] ?? assert.fail(`${name}: ${String(apiVersion)} ${String(kind)}`);
      for (const [path] of flat(fields, '')) assert.ok(known.includes(path), `${name}: ${String(kind)}.${path}`);
    }
});

test('each names the socket that the daemon listens on by default, and handlers by the name of their class', async () => {
  const sockets = [...(await documents('kubeadm.yaml')), ...(await documents('kubelet.yaml'))]
    .flatMap((each) => flat(each, ''))
    .filter(([path]) => /criSocket$|^containerRuntimeEndpoint$/.test(path));
  assert.ok(sockets.length >= 4);
  for (const [path, value] of sockets) assert.equal(value, SOCKET, path);
  for (const each of await documents('runtimeclasses.yaml')) assert.equal(each['handler'], (each['metadata'] as Document)['name']);
});
