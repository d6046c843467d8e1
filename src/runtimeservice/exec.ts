import { requireExecutable } from '../container/exec-process.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { checkStreams } from './streams.ts';

/** A URL at which the command runs when its client connects. */
export function exec(parts: Pick<RuntimeServiceParts, 'containers' | 'streaming'>): RuntimeServiceHandlers['exec'] {
  return async ({ containerId, cmd, tty, stdin, stdout, stderr }) => {
    checkStreams('exec', { tty, stdin, stdout, stderr });
    const { id } = requireExecutable(parts.containers, containerId, cmd);
    return { url: parts.streaming.execUrl({ containerId: id, command: cmd, tty, stdin, stdout, stderr }) };
  };
}
