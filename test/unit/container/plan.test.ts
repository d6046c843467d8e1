import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import type { ContainerConfig, Init } from '../../../api/cri/runtime.ts';
import { silentLog } from '../../../src/base/log.ts';
import { SpecDirectories } from '../../../src/cdi/spec-directories.ts';
import type { CreateRequest } from '../../../src/container/create-request.ts';
import type { ContainerParts } from '../../../src/container/parts.ts';
import { planContainer } from '../../../src/container/plan.ts';
import { HookDirectories } from '../../../src/hooks/hook-directories.ts';
import type { ImageRecord } from '../../../src/image/store.ts';
import type { Cgroups } from '../../../src/linux/cgroups/cgroups.ts';
import { CgroupfsPlacement } from '../../../src/ociruntime/cgroupfs-placement.ts';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { RuntimeHandlers } from '../../../src/ociruntime/runtime-handlers.ts';
import type { Sandbox } from '../../../src/podsandbox/sandbox.ts';
import { containerConfig, HOST, sandboxConfig, SETTINGS } from '../../support/spec-inputs.ts';

const image = (id: string): ImageRecord =>
  ({ id, names: [], digests: [], config: { config: { Cmd: ['/bin/web'] } } }) as unknown as ImageRecord;
const IMAGES = new Map(['web', 'model'].map((name) => [name, image(`sha256:${name}`)]));

async function plan(init: Init<ContainerConfig>, runtimeHandler = 'runc'): Promise<CreateRequest> {
  const runc = new OciRuntime({ name: 'runc', path: '/usr/sbin/runc', root: '/run/x', systemdCgroup: false, environment: {} });
  // A plan looks at no disk, so this is all of the parts that it needs.
  const parts = {
    runtimes: new RuntimeHandlers('runc', new Map([['runc', runc]])),
    placement: new CgroupfsPlacement({} as Cgroups),
    images: { resolve: (name: string) => IMAGES.get(name), annotationsOf: () => Promise.resolve({}) },
    imageUses: { check: () => Promise.resolve(), checkArchive: () => Promise.resolve() },
    hostFacts: () => HOST,
    apparmor: () => Promise.resolve(undefined),
    specSettings: () => SETTINGS,
    cdi: new SpecDirectories(() => [], silentLog),
    hooks: new HookDirectories(() => [], silentLog),
    log: silentLog,
  } as unknown as ContainerParts;
  const pod = sandboxConfig({
    logDirectory: '/var/log/pods/p1',
    linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER } } },
  });
  const namespaces = { net: 'pod', ipc: 'pod', pid: 'container' };
  const sandbox = { record: { id: 's1', config: pod, namespaces, runtimeHandler, cgroupParent: '/pods/p1' }, state: {} };
  return planContainer(
    parts,
    { get: (id) => assert.fail(`container ${id} is asked for`) },
    {
      name: 'k8s_web',
      sandbox: sandbox as unknown as Sandbox,
      config: containerConfig({ image: { image: 'web' }, ...init }),
      sandboxConfig: undefined,
    },
  );
}

test('a request becomes a record, and all that its spec can know without the disk', async () => {
  const mounts = [{ containerPath: '/model', image: { image: 'model' }, readonly: true }];
  const { record, specPlan, pidNamespace, volumeImages } = await plan({ logPath: 'web/0.log', mounts });

  assert.deepStrictEqual(
    [record.imageId, record.volumeImageIds, record.logPath, record.cgroupsPath],
    ['sha256:web', ['sha256:model'], '/var/log/pods/p1/web/0.log', `/pods/p1/${record.id}`],
  );
  assert.deepStrictEqual([specPlan.args, pidNamespace, volumeImages], [['/bin/web'], 'new', [IMAGES.get('model')]]);
});

test('an image that is not here is asked for by name, that of a mount in the words the kubelet knows', async () => {
  await assert.rejects(plan({ image: { image: 'db' } }), { kind: 'NotFound', message: /image db is not present/ });
  await assert.rejects(plan({ image: { image: '' } }), { kind: 'InvalidArgument', message: /config\.image is empty/ });
  const mounts = [{ containerPath: '/m', image: { image: 'db' }, readonly: true }];
  await assert.rejects(plan({ mounts }), {
    kind: 'NotFound',
    message: /^ImageVolumeMountFailed: .* at \/m is of image db, which is not present/,
  });
});

test('a pod whose runtime handler is configured no more gets no container', async () => {
  await assert.rejects(plan({}, 'kata'), { kind: 'InvalidArgument', message: /"kata", which is not configured, must be one of: runc/ });
});
