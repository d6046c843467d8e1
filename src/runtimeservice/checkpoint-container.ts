import { isAbsolute, normalize } from 'node:path';
import { fail } from '../base/errors.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** Most seconds that a deadline may have: a day. */
const LONGEST_S = 86_400n;

export function checkpointContainer(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['checkpointContainer'] {
  return async ({ containerId, location, timeout }, call) => {
    const what = 'checkpoint container';
    if (!isAbsolute(location) || location.includes('\0') || location.endsWith('/') || normalize(location) !== location)
      fail(
        'InvalidArgument',
        `${what}: location is ${JSON.stringify(location.slice(0, 4096))}, must be the absolute path of the file to write, without . and ..`,
      );
    if (timeout < 0n || timeout > LONGEST_S)
      fail('InvalidArgument', `${what}: timeout is ${timeout}, must be 0 or the seconds it may take, at most ${LONGEST_S}`);
    const { record } = parts.containers.get(containerId);
    await parts.containers.checkpoint(record.id, location, Number(timeout) * 1000, call);
    return {};
  };
}
