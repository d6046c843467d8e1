import type { ContainerConfig, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';

export interface AnnotationsInput {
  readonly kind: 'container' | 'sandbox';
  readonly sandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  readonly config?: ContainerConfig | undefined;
  readonly more: Readonly<Record<string, string>> | undefined;
}

/**
 * What tells debuggers, tracers and other runtimes (gVisor, Kata) which pod a process is of: the names that containerd
 * gives these annotations, which such tools look for. The request's own annotations are not handed to the runtime:
 * some runtimes take orders from them.
 */
export function specAnnotations({ kind, sandboxId, sandboxConfig, config, more }: AnnotationsInput): Record<string, string> {
  const { metadata } = sandboxConfig;
  return {
    ...more,
    'io.kubernetes.cri.container-type': kind,
    'io.kubernetes.cri.sandbox-id': sandboxId,
    'io.kubernetes.cri.sandbox-name': metadata?.name ?? '',
    'io.kubernetes.cri.sandbox-namespace': metadata?.namespace ?? '',
    'io.kubernetes.cri.sandbox-uid': metadata?.uid ?? '',
    ...(config === undefined
      ? {}
      : {
          'io.kubernetes.cri.container-name': config.metadata?.name ?? '',
          'io.kubernetes.cri.image-name': config.image?.userSpecifiedImage || config.image?.image || '',
        }),
  };
}

/** Most bytes of a label, key and value together; as CRI-O and containerd refuse it. */
const LABEL_LIMIT_BYTES = 4096;

/** @throws DaemonError InvalidArgument for a label that is too long. `what` begins the message: "create container". */
export function checkLabels(labels: Readonly<Record<string, string>>, what: string): void {
  for (const [key, value] of Object.entries(labels)) {
    const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (sizeBytes <= LABEL_LIMIT_BYTES) continue;
    throw new DaemonError(
      'InvalidArgument',
      `${what}: label "${key.slice(0, 64)}" has ${sizeBytes} bytes with its value, must have at most ${LABEL_LIMIT_BYTES}`,
    );
  }
}
