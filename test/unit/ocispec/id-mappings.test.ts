import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import type { Mount } from '../../../api/cri/runtime.ts';
import { checkContainerUserNamespace, checkIdMappings, checkUserIsMapped } from '../../../src/ocispec/id-mappings.ts';
import { containerInput, infraInput, plannedMount, RUNTIME } from '../../support/spec-inputs.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';

const IDS = { containerId: 0, hostId: 100_000, length: 65_536 };
const POD = { uids: IDS, gids: IDS };
const options = (change: object = {}): Parameters<typeof checkContainerUserNamespace>[0] => ({
  network: 0,
  pid: 0,
  ipc: 0,
  targetId: '',
  usernsOptions: { mode: NamespaceMode.POD, uids: [IDS], gids: [IDS], ...change },
});

test('checkIdMappings() refuses ranges that overlap on either side, in any order, and takes those that touch', () => {
  const next = { containerId: 65_536, hostId: 165_536, length: 10 };
  checkIdMappings('m', [IDS, next]);
  checkIdMappings('m', [next, IDS]);
  assert.throws(() => { checkIdMappings('m', [{ ...next, containerId: 65_535 }, IDS]); }, { kind: 'InvalidArgument', message: 'm has ranges that overlap at container_id 65535' }); // prettier-ignore
  assert.throws(() => { checkIdMappings('m', [IDS, { ...next, hostId: 100_000 }]); }, { kind: 'InvalidArgument', message: /overlap at host_id 100000/ }); // prettier-ignore
});

test('a container has the user namespace of its pod, said or not, and no other', () => {
  checkContainerUserNamespace(undefined, POD);
  checkContainerUserNamespace({ ...options()!, usernsOptions: undefined }, POD);
  checkContainerUserNamespace(options(), POD);
  checkContainerUserNamespace(options({ mode: NamespaceMode.NODE, uids: [], gids: [] }), undefined);
  const refused: readonly (readonly [options: ReturnType<typeof options>, pod: typeof POD | undefined, words: RegExp])[] = [
    [options(), undefined, /which uses the node's; they must be the same/],
    [
      options({ mode: NamespaceMode.NODE, uids: [], gids: [] }),
      POD,
      /which has the users 100000 to 165535 and the groups 100000 to 165535/,
    ],
    [options({ gids: [{ ...IDS, hostId: 7 }] }), POD, /differ from those of its pod sandbox/],
    [options({ uids: [{ ...IDS, length: 10 }] }), POD, /differ from those/],
    [options({ mode: NamespaceMode.CONTAINER }), POD, /user namespace mode is 1/],
  ];
  for (const [asked, pod, message] of refused)
    assert.throws(() => { checkContainerUserNamespace(asked, pod); }, { kind: 'InvalidArgument', message }); // prettier-ignore
});

test('a user or group that the namespace of the pod has not is refused; in a pod without one none is', () => {
  const user = { uid: 1000, gid: 1000, additionalGids: [65_535] };
  checkUserIsMapped('x', user, POD);
  checkUserIsMapped('x', { uid: 100_000, gid: 100_000 }, undefined);
  assert.throws(() => { checkUserIsMapped('x', { ...user, uid: 65_536 }, POD); }, { kind: 'InvalidArgument', message: /^x: its user is 65536/ }); // prettier-ignore
  assert.throws(() => { checkUserIsMapped('x', { ...user, additionalGids: [1, 70_000] }, POD); }, { kind: 'InvalidArgument', message: /a group of its user is 70000/ }); // prettier-ignore
});

test('the spec names the namespace of the pod first, and no ids: the runtime reads them there', () => {
  const namespaces = { net: '/n', ipc: '/i', uts: '/u', pid: 'new', user: '/ns/user' };
  for (const spec of [
    buildSpec(containerInput({ namespaces, userMapping: POD })),
    buildSpec(infraInput({ namespaces, userMapping: POD })),
  ]) {
    assert.deepStrictEqual(spec.linux.namespaces[0], { type: 'user', path: '/ns/user' });
    assert.deepStrictEqual([spec.linux.uidMappings, spec.linux.gidMappings], [undefined, undefined]);
  }
  const { user } = buildSpec(infraInput({ namespaces, userMapping: { uids: { ...IDS, length: 10 }, gids: IDS } })).process;
  assert.deepStrictEqual(user, { uid: 9, gid: 65_535, additionalGids: [65_535] });
});

test('terminals belong to group 5 where the pod has it', () => {
  const optionsOf = (length: number): readonly string[] | undefined => {
    const spec = buildSpec(containerInput({ userMapping: { uids: IDS, gids: { ...IDS, length } } }));
    return spec.mounts.find(({ destination }) => destination === '/dev/pts')!.options;
  };
  assert.deepStrictEqual([optionsOf(6)?.includes('gid=5'), optionsOf(5)?.includes('gid=5')], [true, false]);
});

test('mounts have both mappings or none; those of an image are the ones of its pod', () => {
  const runtime = { ...RUNTIME, idmapMounts: true };
  const both = { uidMappings: [IDS], gidMappings: [IDS] };
  const image = { image: { image: 'x' }, readonly: true } as Partial<Mount>;
  assert.deepStrictEqual(plannedMount(both, runtime).mount.uidMappings, [{ containerID: 0, hostID: 100_000, size: 65_536 }]);
  assert.equal(plannedMount({ ...both, ...image }, runtime, POD).mount.uidMappings, undefined);
  assert.throws(() => plannedMount({ uidMappings: [IDS] }, runtime), { kind: 'InvalidArgument', message: /\/data has only one of uid_mappings and gid_mappings/ }); // prettier-ignore
  assert.throws(() => plannedMount({ ...both, gidMappings: [{ ...IDS, length: 0 }] }, runtime), { kind: 'InvalidArgument', message: /\/data: gid_mappings has length 0/ }); // prettier-ignore
  assert.throws(() => plannedMount({ ...both, ...image }, runtime), { kind: 'InvalidArgument', message: /^ImageVolumeMountFailed: .* id mappings other than its pod's/ }); // prettier-ignore
});
