import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { isPinned } from '../linux/namespaces.ts';
import { removeInfra } from './infra.ts';
import { detachRequest } from './network.ts';
import { removeNetworkCgroup } from './network-cgroup.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { unmountSandboxShm } from './sandbox-files.ts';
import type { SandboxRecord, SandboxState } from './sandbox.ts';
import { unpinSandbox } from './unpin.ts';

/**
 * Takes down the sandbox's own parts: infra container, network, namespaces, shm. The caller holds its lock, has recorded
 * Stopping, and has stopped its containers. Idempotent: each step is.
 * @throws with the plugin's words while CNI DEL fails and the namespace is there; the kubelet asks again.
 */
export async function stopSandbox(parts: SandboxParts, id: string): Promise<void> {
  const { store } = parts;
  const sandbox = store.get(id);
  if (sandbox === undefined || sandbox.state.is === 'NotReady') return;
  const { record, state } = sandbox;
  await takeDown(parts, record, state);
  if (state.is !== 'Removing') await store.saveTowardsEnd(id, { ...state, infra: undefined, is: 'NotReady' });
  stage('sandbox.notready');
}

/**
 * The steps of a stop, for a sandbox in any state, and for what a crash left of one (no state). What a crash left must go even
 * while its network cannot be released: nobody sees it, and it holds a name.
 */
export async function takeDown(parts: SandboxParts, record: SandboxRecord, state: SandboxState | undefined): Promise<void> {
  if (record.namespaces.pid === 'pod') await step('remove infra container', async () => removeInfra(parts, record, state?.infra));
  stage('sandbox.infra.removed');
  await removeNetworkCgroup(parts, record);
  if (record.namespaces.net === 'pod') await step('detach network', async () => releaseNetwork(parts, record, state === undefined));
  stage('sandbox.detached');
  await step('unpin namespaces', async () => unpinSandbox(parts, record.id));
  stage('sandbox.unpinned');
  await unmountSandboxShm(pathsOf(parts, record.id));
}

/** How long a stop waits for the release of a network whose namespace is gone, milliseconds; the queue goes on with it. */
const RELEASE_PATIENCE_MS = 5000;

async function releaseNetwork(parts: SandboxParts, record: SandboxRecord, isUnfinished: boolean): Promise<void> {
  const { netns } = pathsOf(parts, record.id);
  if (isPinned(netns)) {
    try {
      await parts.networks.detach(detachRequest(record, netns), AbortSignal.timeout(parts.detachBudgetMs));
      return;
    } catch (error) {
      if (!isUnfinished) throw error;
    }
    await parts.networks.detachLater(detachRequest(record, undefined));
    return;
  }
  // Without the namespace the kubelet must not be held up by a plugin that fails: the release is queued in a record of its own
  // until it works. Mostly it works at once, and then the address is free by the time the kubelet has its answer.
  await parts.networks.detachLater(detachRequest(record, undefined));
  await parts.networks.retryDetach(record.id, Math.min(RELEASE_PATIENCE_MS, parts.detachBudgetMs));
}
