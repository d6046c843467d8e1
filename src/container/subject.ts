import type { ContainerConfig } from '../../api/cri/runtime.ts';
import type { Subject } from '../base/steps.ts';
import type { SandboxRecord } from '../podsandbox/sandbox.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { podTitle } from '../podsandbox/subject.ts';
import type { ContainerRecord } from './container.ts';

/** What a piece of work on a container is about. */
export function subjectOfContainer(record: ContainerRecord | string, { sandboxes }: { readonly sandboxes: Sandboxes }): Subject {
  if (typeof record === 'string') return { containerId: record };
  const { id, sandboxId, config } = record;
  const sandbox = sandboxes.store.get(sandboxId)?.record;
  return { containerId: id, sandboxId, ...(sandbox === undefined ? {} : { name: containerTitle(sandbox, config) }) };
}

/** What a request for a container is about, which has no id yet. */
export function subjectOfRequest({ record }: { readonly record: SandboxRecord }, config: ContainerConfig): Subject {
  // The kubelet asks by an id, and says beside it what the pod says.
  const image = config.image?.userSpecifiedImage || config.image?.image;
  return { sandboxId: record.id, name: containerTitle(record, config), ...(image === undefined ? {} : { image }) };
}

/** `NAMESPACE/POD/CONTAINER`. */
function containerTitle(sandbox: SandboxRecord, { metadata }: ContainerConfig): string {
  return `${podTitle(sandbox.config.metadata)}/${metadata?.name ?? ''}`;
}
