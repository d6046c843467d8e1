import type { ContainerConfig, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { HandlerSettings } from './input.ts';

export interface AnnotationsInput {
  readonly kind: 'container' | 'sandbox';
  readonly sandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  readonly config?: ContainerConfig | undefined;
  /** Those of the request that the handler lets through, from handedAnnotations. */
  readonly asked: Readonly<Record<string, string>>;
  readonly more: Readonly<Record<string, string>> | undefined;
}

/**
 * What tells debuggers, tracers and other runtimes (gVisor, Kata) which pod a process is of: the names that containerd
 * gives these annotations, which such tools look for. Of the request's own there are those that the node's owner lets through:
 * some runtimes take orders from them.
 */
export function specAnnotations({ kind, sandboxId, sandboxConfig, config, asked, more }: AnnotationsInput): Record<string, string> {
  const { metadata } = sandboxConfig;
  return {
    ...asked,
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

type Annotations = Readonly<Record<string, string>>;
type Patterns = Pick<HandlerSettings, 'podAnnotations' | 'containerAnnotations' | 'allowedAnnotations'>;

/**
 * The annotations of a pod, and of a container of it, that its handler hands to the runtime (deny-all without a pattern). Of one
 * name the container's wins.
 */
export function handedAnnotations(handler: Patterns, pod: Annotations, container: Annotations = {}): Annotations {
  const { podAnnotations, containerAnnotations, allowedAnnotations } = handler;
  return {
    ...matching(pod, [...podAnnotations, ...allowedAnnotations]),
    ...matching(container, [...containerAnnotations, ...allowedAnnotations]),
  };
}

function matching(annotations: Annotations, patterns: readonly string[]): Annotations {
  if (patterns.length === 0) return {};
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => matchesAny(name, patterns)));
}

/** Whether a name is of one of these patterns: `*` is any text without a slash, `?` one character of it, as in Go's path.Match. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesGlob(name, pattern));
}

/** In time that grows with the product of both lengths at most: a pod chooses the name. */
function matchesGlob(name: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = pattern[inPattern];
    if (wanted === '*') {
      star = inPattern;
      inPattern += 1;
      starAt = at;
    } else if (wanted === name[at] || (wanted === '?' && name[at] !== '/')) {
      inPattern += 1;
      at += 1;
    } else if (star !== -1 && name[starAt] !== '/') {
      starAt += 1;
      at = starAt;
      inPattern = star + 1;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(inPattern));
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
      `${what}: labels: "${key.slice(0, 64)}" has ${sizeBytes} bytes with its value, must have at most ${LABEL_LIMIT_BYTES}`,
    );
  }
}
