import type { Subject } from '../base/steps.ts';
import type { SandboxRecord } from './sandbox.ts';

/** What a piece of work on a pod is about. */
export function subjectOfPod({ id, config }: Pick<SandboxRecord, 'id' | 'config'>): Subject {
  return { sandboxId: id, name: podTitle(config.metadata) };
}

/** `NAMESPACE/POD`, as people name it. */
export function podTitle(metadata: { readonly name: string; readonly namespace: string } | undefined): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}
