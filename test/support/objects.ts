import type { ContainerConfig, Init, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { ContainerId, ImageId, SandboxId } from '../../src/base/ids.ts';
import type { Container, ContainerRecord, ContainerState } from '../../src/container/container.ts';
import type { Sandbox, SandboxRecord, SandboxState } from '../../src/podsandbox/sandbox.ts';
import { containerConfig, sandboxConfig } from './spec-inputs.ts';

export const SANDBOX_ID = '5'.repeat(64) as SandboxId;
export const CONTAINER_ID = 'c'.repeat(64) as ContainerId;
export const IMAGE_ID = `sha256:${'e'.repeat(64)}` as ImageId;

/** A process of another boot: it is not there. */
export const GONE = { pid: 4_000_000, startTime: '1', bootId: 'another-boot' };

type Changes<Record, State, Config> = Partial<Record> & { readonly state?: State; readonly init?: Init<Config> };

/** A sandbox as the store has it; Ready with two addresses unless said otherwise. */
export function sandbox({ state, init, ...changes }: Changes<SandboxRecord, SandboxState, PodSandboxConfig> = {}): Sandbox {
  const record: SandboxRecord = {
    id: SANDBOX_ID,
    name: 'k8s_web-0_shop_u-1_0',
    config: sandboxConfig({
      metadata: { name: 'web-0', namespace: 'shop', uid: 'u-1', attempt: 0 },
      labels: { app: 'web', tier: 'front' },
      ...init,
    }),
    runtimeHandler: 'runc',
    createdAtNs: 1_000n,
    bootId: 'boot-1',
    namespaces: { net: 'pod', ipc: 'pod', pid: 'container' },
    hostname: 'web-0',
    cgroupParent: '/kubepods/pod1',
    ...changes,
  };
  return { record, state: state ?? { is: 'Ready', network: { ips: ['10.1.0.7', 'fd00::7'] }, ownsCgroup: false } };
}

/** What every state of a made container carries. */
export const MADE = { process: GONE, monitor: GONE, user: { uid: 1000, gid: 2000, additionalGids: [2000, 3000] } };

/** A container as the store has it; Running unless said otherwise. */
export function container({ state, init, ...changes }: Changes<ContainerRecord, ContainerState, ContainerConfig> = {}): Container {
  const record: ContainerRecord = {
    id: CONTAINER_ID,
    name: 'k8s_app_web-0_shop_u-1_2_555555555555',
    sandboxId: SANDBOX_ID,
    config: containerConfig({
      metadata: { name: 'app', attempt: 2 },
      image: { image: IMAGE_ID, userSpecifiedImage: 'example.org/app:1' },
      labels: { app: 'web' },
      annotations: { 'io.kubernetes.container.restartCount': '2' },
      ...init,
    }),
    imageId: IMAGE_ID,
    imageRef: IMAGE_ID,
    createdAtNs: 2_000n,
    bootId: 'boot-1',
    runtimeHandler: 'runc',
    logPath: '/var/log/pods/shop_web-0_u-1/app/2.log',
    stopSignal: 15,
    cgroupParent: '/kubepods/pod1',
    cgroupsPath: `/kubepods/pod1/${CONTAINER_ID}`,
    ...changes,
  };
  return { record, state: state ?? { is: 'Running', startedAtNs: 3_000n, ...MADE } };
}
