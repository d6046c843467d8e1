import { isAbsolute, normalize } from 'node:path';
import { fail } from '../base/errors.ts';
import { requireReady } from '../podsandbox/sandbox.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** @throws InvalidArgument, in the name of the field. */
export function checkDirectoryField(what: string, field: string, path: string): void {
  if (!isAbsolute(path) || path.includes('\0') || normalize(path) !== path || (path.endsWith('/') && path !== '/'))
    fail('InvalidArgument', `${what}: ${field} is ${JSON.stringify(path.slice(0, 4096))}, must be the absolute path of a directory, without . and ..`); // prettier-ignore
}

/** No runtime here has any. @throws InvalidArgument that names one. */
export function refuseOptions(what: string, options: Readonly<Record<string, string>>): void {
  const [key] = Object.keys(options);
  if (key !== undefined) fail('InvalidArgument', `${what}: options has ${JSON.stringify(key.slice(0, 64))}, which is not known, must be empty`); // prettier-ignore
}

export function checkpointPodRpc({
  sandboxes,
  containers,
}: Pick<RuntimeServiceParts, 'sandboxes' | 'containers'>): RuntimeServiceHandlers['checkpointPod'] {
  return async ({ podSandboxId, outputPath, containerIds, options }, call) => {
    const what = 'checkpoint pod';
    if (!call.hasDeadline) fail('InvalidArgument', `${what}: the call has no deadline, must have one`);
    checkDirectoryField(what, 'output_path', outputPath);
    refuseOptions(what, options);
    const sandbox = sandboxes.get(podSandboxId);
    requireReady(sandbox, what);
    if (containerIds.length === 0) fail('InvalidArgument', `${what}: container_ids is empty, must name the containers`);
    const ids = containerIds.map((asked) => {
      const { record } = containers.get(asked);
      if (record.sandboxId !== sandbox.record.id)
        fail('InvalidArgument', `${what}: container_ids has ${record.id}, which is not of pod sandbox ${sandbox.record.id}`);
      return record.id;
    });
    const twice = ids.find((id, index) => ids.indexOf(id) !== index);
    if (twice !== undefined) fail('InvalidArgument', `${what}: container_ids has ${twice} twice, must name each container once`);
    await containers.checkpointPod(sandbox, ids, outputPath, call);
    return {};
  };
}
