import { basename } from 'node:path';
import type { ContainerConfig, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { reasonOf } from '../base/deadline.ts';
import { fail, messageOf } from '../base/errors.ts';
import type { ContainerId, SandboxId } from '../base/ids.ts';
import { idField } from '../base/log.ts';
import { stage } from '../base/stage.ts';
import { operation, operationIsAbout, step } from '../base/steps.ts';
import { awaitsRestore } from '../container/container.ts';
import { unpackShm, type PodRestorePlan } from '../container/plan-pod-restore.ts';
import { isBeingRestored, sandboxName, type Sandbox } from '../podsandbox/sandbox.ts';
import { podTitle } from '../podsandbox/subject.ts';
import { removePod, type PodParts } from './stop-pod.ts';

export interface PodRestore {
  readonly checkpointPath: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  readonly containerConfigs: readonly ContainerConfig[];
}

export interface RestoredPod {
  readonly sandboxId: SandboxId;
  readonly containers: readonly { readonly name: string; readonly id: ContainerId }[];
}

/** The names of the pods that calls are restoring. */
const underWay = new Set<string>();

/**
 * Makes a pod from a checkpoint: a sandbox, and containers in the state Created whose processes are restored by their start. On
 * failure, also of the caller's patience, nothing of it is left when this returns; after a crash the next start removes it. The same
 * request again gets the pod that is there, while none of its containers was started.
 */
export async function restorePod(parts: PodParts, request: PodRestore, call: Call): Promise<RestoredPod> {
  const subject = { name: podTitle(request.config.metadata) };
  return operation('restore pod', subject, async () => restore(parts, request, call));
}

async function restore(parts: PodParts, request: PodRestore, call: Call): Promise<RestoredPod> {
  const { sandboxes, containers } = parts;
  const { config, checkpointPath } = request;
  const metadata = config.metadata ?? fail('InvalidArgument', 'restore pod: config.metadata is missing, must be given');
  const plan = await step('read checkpoint', async () => containers.planPodRestore(request, call.signal));
  const draft = await sandboxes.draft(config, request.runtimeHandler);
  for (const { config: container, origin } of plan.containers) await containers.checkFrom(origin, draft, container);
  const name = sandboxName(metadata);
  if (underWay.has(name)) fail('Unavailable', `restore pod: ${name} is being restored by another call; ask again`);
  underWay.add(name);
  try {
    // Its end is waited for, whatever becomes of the caller: what it makes must be known to be removed.
    const patient = { requestId: call.requestId, log: call.log, hasDeadline: true, signal: new AbortController().signal };
    const sandbox = await sandboxes.run(config, request.runtimeHandler, patient, checkpointPath);
    operationIsAbout({ sandboxId: sandbox.record.id });
    if (isBeingRestored(sandbox.state)) return await makeContainers(parts, sandbox, plan, call);
    return thatIsThere(parts, sandbox, plan);
  } finally {
    underWay.delete(name);
  }
}

async function makeContainers(parts: PodParts, sandbox: Sandbox, plan: PodRestorePlan, call: Call): Promise<RestoredPod> {
  const { sandboxes, containers, log } = parts;
  const { id } = sandbox.record;
  try {
    stage('pod-restore.sandbox');
    mustGoOn(call);
    const made: { name: string; id: ContainerId }[] = [];
    if (plan.shm !== undefined && sandbox.record.namespaces.ipc === 'pod')
      await unpackShm(plan.shm, sandboxes.pathsOf(id).shm, call.signal);
    for (const { name, config, origin } of plan.containers) {
      const { record } = await containers.createFrom(origin, sandbox, config, call);
      made.push({ name, id: record.id });
      stage('pod-restore.container');
    }
    await sandboxes.finishRestore(id);
    stage('pod-restore.finished');
    mustGoOn(call);
    return { sandboxId: id, containers: made };
  } catch (error) {
    await removePod(parts, id).catch(async (failure: unknown) => {
      log.error('restore pod: what was made cannot be removed', { ...idField('sandbox', id), error: messageOf(failure) });
      await sandboxes.showUnrestored(id);
    });
    throw error;
  }
}

function mustGoOn({ signal }: Call): void {
  if (signal.aborted) throw reasonOf(signal);
}

/** What an earlier call has made, which nobody has used yet. */
function thatIsThere({ containers }: PodParts, { record }: Sandbox, plan: PodRestorePlan): RestoredPod {
  const there = containers.ofSandbox(record.id);
  const found = plan.containers.map(({ name, origin }) => {
    const one = there.find((each) => each.record.config.metadata?.name === name);
    const isUntouched = one !== undefined && awaitsRestore(one) && one.record.checkpoint?.directory === origin.directory;
    return isUntouched ? { name, id: one.record.id } : fail('AlreadyExists', `restore pod: sandbox ${record.id} has this name and attempt, and its container "${name}" is not as it was restored (${basename(origin.directory ?? '')}); remove it, or ask with a higher attempt`); // prettier-ignore
  });
  return { sandboxId: record.id, containers: found };
}
