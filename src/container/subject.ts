import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { present } from '../base/field.ts';
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
  return { sandboxId: record.id, name: containerTitle(record, config), ...present({ image: imageOf(config) }) };
}

/** Its image as the pod names it. The kubelet asks by an id, and says the name beside it. */
export function imageOf({ image }: ContainerConfig): string | undefined {
  return image?.userSpecifiedImage || image?.image;
}

/** `NAMESPACE/POD/CONTAINER`. */
export function containerTitle(sandbox: SandboxRecord, { metadata }: ContainerConfig): string {
  return `${podTitle(sandbox.config.metadata)}/${metadata?.name ?? ''}`;
}
