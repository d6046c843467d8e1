import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field, messages } from '../../../../api/nri/messages.ts';
import type { CreateContainerRequest, CreateContainerResponse, Init } from '../../../../api/nri/messages.ts';
import { CreateResult } from '../../../../src/nri/merge/create-result.ts';

const request = (container: Init<NonNullable<CreateContainerRequest['container']>> = {}): CreateContainerRequest =>
  messages.CreateContainerRequest.decode(messages.CreateContainerRequest.encode({ container: { id: 'c1', ...container } }));
const answer = (response: Init<CreateContainerResponse>): CreateContainerResponse =>
  messages.CreateContainerResponse.decode(messages.CreateContainerResponse.encode(response));
const adjust = (adjustment: Init<NonNullable<CreateContainerResponse['adjust']>>): CreateContainerResponse =>
  answer({ adjust: adjustment });

test('the next plugin sees the container as the plugins before it have adjusted it', () => {
  const result = new CreateResult(request({ env: ['A=1', 'B=2'], annotations: { a: '1' }, linux: { sysctl: { 's.t': '1' } } }));
  result.apply(
    adjust({ env: [{ key: '-A' }, { key: 'C', value: '3' }], annotations: { '-a': '' }, linux: { sysctl: { '-s.t': '' } } }),
    '10-a',
  );

  const { env, annotations, linux } = result.request.container!;
  assert.deepEqual({ env, annotations, sysctl: linux!.sysctl }, { env: ['B=2', 'C=3'], annotations: {}, sysctl: {} });
  assert.deepEqual(result.adjust.linux!.sysctl, { '-s.t': '' });
});

test('neither the request nor an answer is changed', () => {
  const asked = request({ env: ['A=1'], linux: { devices: [{ path: '/dev/a' }] } });
  const answered = adjust({ env: [{ key: 'A', value: '2' }], annotations: { '-a': '' }, linux: { devices: [{ path: '-/dev/a' }] } });
  const [askedBefore, answeredBefore] = [structuredClone(asked), structuredClone(answered)];
  const result = new CreateResult(asked);
  result.apply(answered, '10-a');
  result.apply(adjust({ env: [{ key: '-A' }], hooks: { poststop: [{ path: '/x' }] } }), '20-b');

  assert.deepEqual([asked, answered], [askedBefore, answeredBefore]);
});

test('validators see the container as it came, the adjustments and whose they are', () => {
  const result = new CreateResult(request({ args: ['sleep'] }));
  result.apply(adjust({ args: ['sh'], hooks: { poststop: [{ path: '/x' }] } }), '10-a');
  result.apply(adjust({ hooks: { prestart: [{ path: '/x' }] }, linux: { sysctl: { '-s.t': '' } } }), '20-b');

  const { container, adjust: adjusted, owners, plugins } = result.validation([{ index: '10', name: 'a' }]);
  assert.deepEqual([container!.args, adjusted!.args, plugins], [['sleep'], ['sh'], [{ index: '10', name: 'a' }]]);
  assert.deepEqual(owners!.owners, {
    c1: { simple: { [Field.Args]: '10-a', [Field.OciHooks]: '10-a,20-b' }, compound: { [Field.Sysctl]: { owners: { '-s.t': '20-b' } } } },
  });
});

test('a conflict names the field, the entry, both plugins and the container', () => {
  const result = new CreateResult(request());
  result.apply(answer({ adjust: { env: [{ key: 'A' }], linux: { cgroupsPath: '/x' } } }), '10-a');

  const kind = 'FailedPrecondition';
  assert.throws(
    () => {
      result.apply(adjust({ env: [{ key: 'A' }] }), '20-b');
    },
    { kind, message: 'NRI plugins 20-b and 10-a both set Env "A" of container c1' },
  );
  assert.throws(
    () => {
      result.apply(adjust({ linux: { cgroupsPath: '/y' } }), '20-b');
    },
    { kind, message: 'NRI plugins 20-b and 10-a both set CgroupsPath of container c1' },
  );
  assert.throws(
    () => {
      result.apply(adjust({ rlimits: [{ type: 'RLIMIT_CORE' }, { type: 'RLIMIT_CORE' }] }), '20-b');
    },
    { kind, message: 'NRI plugin 20-b sets Rlimits "RLIMIT_CORE" of container c1 twice' },
  );
});

test('the container that is created can be neither updated nor evicted', () => {
  const result = new CreateResult(request());

  assert.throws(() => {
    result.apply(answer({ update: [{ containerId: 'c1', ignoreFailure: true }] }), '10-a');
  }, /NRI plugin 10-a: update of container c1 while it is created/);
  assert.throws(() => {
    result.apply(answer({ evict: [{ containerId: 'c1' }] }), '10-a');
  }, /NRI plugin 10-a: eviction of container c1 while it is created/);
});

test('evictions are gathered, one for each container, with the first that asked', () => {
  const result = new CreateResult(request());
  result.apply(answer({ evict: [{ containerId: 'o1', reason: 'first' }, { containerId: 'o2' }] }), '10-a');
  result.apply(answer({ evict: [{ containerId: 'o1', reason: 'second' }] }), '20-b');

  assert.deepEqual(result.evictions, [
    { containerId: 'o1', reason: 'first', plugin: '10-a' },
    { containerId: 'o2', reason: '', plugin: '10-a' },
  ]);
});

test('names that objects have are names like others', () => {
  const odd = JSON.parse('{ "annotations": { "__proto__": "1", "toString": "2" } }') as Init<
    NonNullable<CreateContainerResponse['adjust']>
  >;
  const result = new CreateResult(request());
  result.apply(adjust(odd), '10-a');

  assert.deepEqual(Object.entries(result.adjust.annotations), Object.entries(odd.annotations!));
  assert.deepEqual(Object.keys(result.owners.owners['c1']!.compound[Field.Annotations]!.owners), ['__proto__', 'toString']);
  assert.throws(() => {
    result.apply(adjust(odd), '20-b');
  }, /both set Annotations "__proto__"/);
});

test('an answer that is large, or many that are together, is refused', () => {
  const result = new CreateResult(request());
  const text = 'x'.repeat(600 * 1024);
  result.apply(adjust({ annotations: { a: text } }), '10-a');

  assert.throws(() => {
    result.apply(adjust({ annotations: { b: text } }), '20-b');
  }, /NRI plugin 20-b: its adjustments and those of plugins before it come to \d+ bytes, at most 1048576 are taken/);
  assert.throws(() => {
    new CreateResult(request()).apply(answer({ update: Array.from({ length: 10_001 }, () => ({ containerId: 'o1' })) }), '10-a');
  }, /NRI plugin 10-a: its updates and those of plugins before it are 10001, at most 10000 are taken/);
});

test('a request without a container has one that is empty', () => {
  const result = new CreateResult(messages.CreateContainerRequest.decode(new Uint8Array(0)));
  result.apply(adjust({ linux: { resources: { cpu: { shares: { value: 5n } } } } }), '10-a');

  assert.deepEqual(result.request.container!.linux!.resources!.cpu!.shares, { value: 5n });
});
