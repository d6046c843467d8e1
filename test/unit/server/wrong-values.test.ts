import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import { messages } from '../../../api/cri/runtime.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { SpecDirectories } from '../../../src/cdi/spec-directories.ts';
import type { ContainerParts } from '../../../src/container/parts.ts';
import { planContainer } from '../../../src/container/plan.ts';
import { HookDirectories } from '../../../src/hooks/hook-directories.ts';
import type { Cgroups } from '../../../src/linux/cgroups/cgroups.ts';
import { CgroupfsPlacement } from '../../../src/ociruntime/cgroupfs-placement.ts';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { RuntimeHandlers } from '../../../src/ociruntime/runtime-handlers.ts';
import { planSandbox } from '../../../src/podsandbox/plan.ts';
import type { Sandbox } from '../../../src/podsandbox/sandbox.ts';
import { checkStrings } from '../../../src/server/request-strings.ts';
import { parseProto, readProto } from '../../support/proto-facts.ts';
import { HOST, sandboxConfig, SETTINGS } from '../../support/spec-inputs.ts';
import { faultOf, withValue, wrongValuesOf, type WrongValue } from '../../support/wrong-values.ts';

const SCHEMA = parseProto(await readProto());
const METADATA = { name: 'web-0', namespace: 'shop', uid: 'u-1', attempt: 0 };

const runc = new OciRuntime({ name: 'runc', path: '/usr/sbin/runc', root: '/run/x', systemdCgroup: false, environment: {} });
const web = { id: 'sha256:web', names: [], digests: [], config: { config: { Cmd: ['/bin/web'] } } };
/** A plan looks at no kernel and no disk, so this is all of the parts that it needs. */
const parts = {
  runtimes: new RuntimeHandlers('runc', new Map([['runc', runc]])),
  placement: new CgroupfsPlacement({} as Cgroups),
  imageUses: { check: () => Promise.resolve(), checkArchive: () => Promise.resolve() },
  images: { resolve: (name: string) => (name === 'web' ? web : undefined), annotationsOf: () => Promise.resolve({}) },
  hostFacts: () => HOST,
  apparmor: () => Promise.resolve(undefined),
  specSettings: () => SETTINGS,
  cdi: new SpecDirectories(() => [], silentLog),
  hooks: new HookDirectories(() => [], silentLog),
  log: silentLog,
} as unknown as ContainerParts & Parameters<typeof planSandbox>[2];

/** Sends each wrong value through the codec, the check of all requests, and the plan. @returns what is wrong with the answers. */
async function faultsOf<N extends 'RunPodSandboxRequest' | 'CreateContainerRequest'>(
  name: N,
  good: Parameters<(typeof messages)[N]['encode']>[0],
  plan: (request: ReturnType<(typeof messages)[N]['decode']>) => unknown,
): Promise<string[]> {
  const answer = async (wrong: WrongValue): Promise<{ code: string; message: string }> => {
    const request = messages[name].decode(messages[name].encode(withValue(good, wrong)));
    try {
      checkStrings(name, request);
      await plan(request as never);
      return { code: 'OK', message: '' };
    } catch (error) {
      if (!(error instanceof DaemonError)) throw error;
      return { code: error.kind === 'InvalidArgument' ? 'INVALID_ARGUMENT' : error.kind, message: error.message };
    }
  };
  const values = wrongValuesOf(SCHEMA.lookupType(name));
  assert.ok(values.length > 100, String(values.length));
  const faults = await Promise.all(values.map(async (wrong) => faultOf(wrong, await answer(wrong))));
  return faults.filter((fault) => fault !== undefined);
}

test('RunPodSandbox: no field takes a value that it cannot mean, and each is refused by its name', async () => {
  assert.deepEqual(
    await faultsOf('RunPodSandboxRequest', { config: { metadata: METADATA } }, ({ config, runtimeHandler }) =>
      planSandbox(config!, runtimeHandler, parts, undefined),
    ),
    [],
  );
});

test('CreateContainer: no field takes a value that it cannot mean, and each is refused by its name', async () => {
  const namespaceOptions = { pid: NamespaceMode.CONTAINER };
  const pod = sandboxConfig({ metadata: METADATA, linux: { securityContext: { namespaceOptions } } });
  const namespaces = { net: 'pod', ipc: 'pod', pid: 'container' };
  const sandbox = { record: { id: 's1', config: pod, namespaces, runtimeHandler: 'runc', cgroupParent: '/pods/p1' }, state: {} };
  const good = {
    podSandboxId: 's1',
    config: {
      metadata: { name: 'web', attempt: 0 },
      image: { image: 'web' },
      mounts: [{ containerPath: '/data', hostPath: '/tmp', readonly: true, image: { image: 'web' } }],
      linux: { securityContext: { namespaceOptions } },
    },
  };
  const containers = { get: (id: string) => assert.fail(`container ${id} is asked for`) };

  assert.deepEqual(
    await faultsOf('CreateContainerRequest', good, async ({ config }) =>
      planContainer(parts, containers, {
        name: 'k8s_web',
        sandbox: sandbox as unknown as Sandbox,
        config: config!,
        sandboxConfig: undefined,
      }),
    ),
    [],
  );
});
