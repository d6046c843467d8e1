import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import { shmSizeOrder } from '../ocispec/annotation-orders.ts';
import type { SandboxParts } from './parts.ts';

/** As docker and CRI-O: most pods never ask for another size. */
const SHM_SIZE_BYTES = 64 * 1024 * 1024;

/**
 * The size of a pod's /dev/shm, bytes.
 * @throws DaemonError InvalidArgument for an annotation that its handler allows and that is no size.
 */
export function shmSize(
  { annotations, metadata }: PodSandboxConfig,
  handler: string,
  parts: Pick<SandboxParts, 'specSettings' | 'log'>,
): number {
  const warn = (words: string): void => {
    parts.log.warn(`run pod sandbox: ${words}`, { name: `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}` });
  };
  return shmSizeOrder({ annotations, settings: parts.specSettings(handler), doing: 'run pod sandbox', warn }) ?? SHM_SIZE_BYTES;
}
