import type { LogFields } from '../base/log.ts';

interface Named {
  readonly podSandboxId?: string;
  readonly containerId?: string;
  readonly image?: { readonly image?: string };
  readonly config?: { readonly metadata?: { readonly name?: string; readonly namespace?: string } };
}

/** What a request is about, for the log: ids, an image reference, or the name a new object is to have. Never credentials. */
export function subjectOf(request: unknown): LogFields {
  const { podSandboxId, containerId, image, config } = request as Named;
  const metadata = config?.metadata;
  return {
    ...(podSandboxId ? { sandboxId: podSandboxId } : {}),
    ...(containerId ? { containerId } : {}),
    ...(image?.image ? { image: image.image } : {}),
    ...(metadata?.name ? { name: metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name } : {}),
  };
}
