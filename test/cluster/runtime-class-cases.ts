/** `podwright runtimeclass` against the API server, and what becomes of the pods that it speaks of. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeV1Api } from '@kubernetes/client-node';
import type { V1RuntimeClass } from '@kubernetes/client-node';
import type { ClassReport, RuntimeClassReport } from '../../src/runtimeclass/judge.ts';
import { directoryOf, isV1 } from '../support/cgroup-files.ts';
import { NODE_NAME } from './node.ts';
import { ownDaemon } from './node-cases.ts';
import { container, SLEEP, until } from './world.ts';
import type { Case, Space, World } from './world.ts';

export const RUNTIME_CLASS_CASES: readonly Case[] = [
  { name: 'podwright runtimeclass says what becomes of pods of each RuntimeClass', run: judged },
];

const MEBIBYTE = 1024 * 1024;
const OVERHEAD = { cpu: '50m', memory: '32Mi' };

const named = (name: string, handler: string, rest: Partial<V1RuntimeClass> = {}): V1RuntimeClass => ({
  metadata: { name },
  handler,
  ...rest,
});
const CLASSES = [
  named('judged-here', 'runc'),
  named('judged-costs', 'runc', { overhead: { podFixed: OVERHEAD } }),
  named('judged-absent', 'kata'),
  named('judged-elsewhere', 'runc', { scheduling: { nodeSelector: { 'podwright.test/vm': 'yes' } } }),
  named('judged-absent-elsewhere', 'kata', { scheduling: { nodeSelector: { 'podwright.test/vm': 'yes' } } }),
];

async function judged(world: World): Promise<void> {
  ownDaemon(world);
  const api = world.cluster.config.makeApiClient(NodeV1Api);
  for (const body of CLASSES) await api.createRuntimeClass({ body });
  try {
    await world.withNamespace('judged', async (space) => {
      const report = await reportOf(world);
      assert.deepEqual([report.node, report.unnamed], [NODE_NAME, []]);
      const of = (name: string): ClassReport => report.classes.find((each) => each.name === `judged-${name}`) ?? assert.fail(name);
      const able = await lacksOf(world);
      for (const name of ['here', 'costs']) assert.deepEqual([of(name).verdict, of(name).reasons], able, name);
      assert.deepEqual(of('costs').overhead, OVERHEAD);
      const noHandler = /^this node has no handler kata: it has /;
      assert.equal(of('absent').verdict, 'broken');
      assert.match(of('absent').reasons[0] ?? '', noHandler);
      const away = `its pods go to nodes with podwright.test/vm=yes, and ${NODE_NAME} has no such label`;
      assert.deepEqual([of('elsewhere').verdict, of('elsewhere').reasons], ['elsewhere', [away]]);
      assert.deepEqual([of('absent-elsewhere').verdict, of('absent-elsewhere').reasons[0]], ['elsewhere', away]);
      assert.match(of('absent-elsewhere').reasons[1] ?? '', noHandler);
      await podsFare(space);
    });
  } finally {
    for (const { metadata } of CLASSES) await api.deleteRuntimeClass({ name: metadata?.name ?? '' });
  }
}

/** As an operator calls it on the node: with the kubelet's identity, which may read nothing else of this. */
async function reportOf({ cluster }: World): Promise<RuntimeClassReport> {
  const { daemon, handlerFlags } = cluster.runtime;
  const flags = ['--kubeconfig', cluster.identities.kubeconfig('kubelet'), '--node', NODE_NAME, ...handlerFlags];
  const text = await daemon
    ?.cli('runtimeclass', ...flags)
    .catch((error: unknown) => error as { exitCode: number; stderr: string; stdout: string });
  assert.ok(typeof text === 'object', 'the command finds what does not start');
  assert.equal(text.exitCode, 5, text.stderr);
  assert.match(text.stderr, /pods of 1 of \d+ classes do not start on this node/);
  assert.match(text.stdout, /^judged-costs +runc +\w+ +cpu 50m, memory 32Mi/m);
  const json = await daemon?.cli('runtimeclass', '--json', ...flags).catch((error: unknown) => (error as { stdout: string }).stdout);
  return JSON.parse(json ?? '') as RuntimeClassReport;
}

/** The verdict on a class of runc, by what the kubelet has heard of the daemon. */
async function lacksOf({ core }: World): Promise<unknown> {
  const { status } = await core.readNode({ name: NODE_NAME });
  const features = status?.runtimeHandlers?.find(({ name }) => name === 'runc')?.features;
  const reasons = [
    ...(features?.userNamespaces === true ? [] : ['the handler cannot do user namespaces (hostUsers: false)']),
    ...(features?.recursiveReadOnlyMounts === true ? [] : ['the handler cannot do recursive read-only mounts']),
  ];
  return [reasons.length === 0 ? 'ok' : 'limited', reasons];
}

async function podsFare(space: Space): Promise<void> {
  const resources = { limits: { cpu: '100m', memory: '64Mi' }, requests: { cpu: '10m', memory: '16Mi' } };
  for (const { metadata } of CLASSES)
    await space.pod(metadata?.name ?? '', [container('main', SLEEP, { resources })], { runtimeClassName: metadata?.name ?? '' });
  await space.untilReady('judged-here');
  const costs = await space.untilReady('judged-costs');
  assert.deepEqual(costs.spec?.overhead, OVERHEAD);
  assert.equal(await memoryLimit(space, 'judged-here'), 64 * MEBIBYTE);
  assert.equal(await memoryLimit(space, 'judged-costs'), 96 * MEBIBYTE, 'with what the class costs');
  for (const name of ['judged-elsewhere', 'judged-absent-elsewhere'])
    await space.untilPod(name, 'without a node', ({ status, spec }) => {
      const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
      return scheduled?.reason === 'Unschedulable' && spec?.nodeName === undefined;
    });
  await space.untilPod('judged-absent', 'on the node', ({ spec }) => spec?.nodeName === NODE_NAME);
  await until('the kubelet tells that it does not start', async () =>
    /FailedCreatePodSandBox.*kata/.test(await space.events('judged-absent')) ? true : undefined,
  );
}

/** Of the pod's cgroup, as the kernel has it. */
async function memoryLimit(space: Space, name: string): Promise<number> {
  const { metadata } = await space.read(name);
  const cgroup = `${space.world.cluster.runtime.cgroupRoot}/kubepods/burstable/pod${metadata?.uid ?? ''}`;
  return Number(await readFile(join(directoryOf(cgroup), isV1 ? 'memory.limit_in_bytes' : 'memory.max'), 'utf8'));
}
