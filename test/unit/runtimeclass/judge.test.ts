import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster, ClusterNode, NodeHandler, RuntimeClass } from '../../../src/runtimeclass/cluster.ts';
import { judgeClasses } from '../../../src/runtimeclass/judge.ts';
import type { ClassReport } from '../../../src/runtimeclass/judge.ts';

const NODE: ClusterNode = { name: 'n1', labels: { runtime: 'fast' }, taints: [], isUnschedulable: false };
const HANDLERS: readonly NodeHandler[] = [
  { name: 'runc', program: '/usr/sbin/runc', lacks: ['user namespaces (hostUsers: false)'] },
  { name: 'crun', program: '/usr/bin/crun', lacks: [] },
  { name: 'gone', program: 'runsc', lacks: [], fault: 'ENOENT' },
];

function judged(given: Partial<RuntimeClass>, node: ClusterNode | 'unknown' = NODE): ClassReport {
  const each: RuntimeClass = { name: 'c', handler: 'crun', overhead: {}, nodeSelector: {}, tolerations: [], ...given };
  const cluster: Cluster = { server: 'https://api', classes: [each], node: node === 'unknown' ? undefined : node };
  const [report] = judgeClasses(cluster, HANDLERS).classes;
  return report ?? assert.fail('no report');
}

test('a class whose handler is here is ok, and one that cannot do all is limited', () => {
  assert.deepEqual(judged({ overhead: { cpu: '100m' } }), {
    name: 'c',
    handler: 'crun',
    verdict: 'ok',
    reasons: [],
    overhead: { cpu: '100m' },
  });
  assert.deepEqual(
    [judged({ handler: 'runc' }).verdict, judged({ handler: 'runc' }).reasons],
    ['limited', ['the handler cannot do user namespaces (hostUsers: false)']],
  );
});

test('a class that may come here and whose handler is missing, or cannot be run, is broken', () => {
  const missing = judged({ handler: 'kata' });
  assert.equal(missing.verdict, 'broken');
  assert.match(missing.reasons[0] ?? '', /^this node has no handler kata: it has runc, crun, gone$/);
  assert.match(missing.reasons[1] ?? '', /nodeSelector that n1 does not match/);
  assert.match(judged({ handler: 'gone' }).reasons[0] ?? '', /the program of handler gone, runsc, cannot be run: ENOENT/);
});

test('a class for other nodes is elsewhere, whatever the handler', () => {
  const other = judged({ handler: 'kata', nodeSelector: { runtime: 'kata', zone: 'a' } });
  assert.equal(other.verdict, 'elsewhere');
  assert.deepEqual(other.reasons.slice(0, 2), [
    'its pods go to nodes with runtime=kata, and n1 has runtime=fast',
    'its pods go to nodes with zone=a, and n1 has no such label',
  ]);
  assert.equal(judged({ nodeSelector: { runtime: 'fast' } }).verdict, 'ok');
  assert.equal(judged({ nodeSelector: { runtime: 'kata' } }, 'unknown').verdict, 'ok', 'without a node labels are not looked at');
});

test('a taint that neither the class nor its absence tolerates limits it', () => {
  const tainted: ClusterNode = { ...NODE, taints: [{ key: 'dedicated', value: 'fast', effect: 'NoSchedule' }] };
  assert.deepEqual(judged({}, tainted).reasons, ['pods need a toleration of their own for dedicated=fast:NoSchedule of n1']);
  for (const toleration of [
    { operator: 'Exists' },
    { key: 'dedicated', value: 'fast' },
    { key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' },
  ])
    assert.equal(judged({ tolerations: [toleration] }, tainted).verdict, 'ok', JSON.stringify(toleration));
  for (const toleration of [{ key: 'dedicated', value: 'slow' }, { operator: 'Exists', effect: 'NoExecute' }, { value: 'fast' }])
    assert.equal(judged({ tolerations: [toleration] }, tainted).verdict, 'limited', JSON.stringify(toleration));
  assert.equal(judged({}, { ...NODE, taints: [{ key: 'soft', effect: 'PreferNoSchedule' }] }).verdict, 'ok');
  const cordoned = { ...NODE, isUnschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] };
  assert.deepEqual(judged({}, cordoned).reasons, ['n1 is cordoned: no pod is sent to it']);
});

test('handlers that no class names are told', () => {
  const { unnamed } = judgeClasses({ server: 's', classes: [], node: undefined, nodeFault: 'why' }, HANDLERS);
  assert.deepEqual(unnamed, ['runc', 'crun', 'gone']);
});
