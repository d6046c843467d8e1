import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../base/errors.ts';
import { ociNamespaces } from '../ocispec/namespaces.ts';
import { OCI_VERSION } from '../ocispec/oci-types.ts';
import { bundleOf } from './infra.ts';
import type { SandboxParts } from './parts.ts';
import { namespacePaths } from './run.ts';
import type { Sandbox } from './sandbox.ts';

/**
 * What `crictl inspectp` shows as runtimeSpec: that of the infra container where the pod has one, else what every container of
 * the pod gets of it: the namespaces with their paths, and the cgroup.
 */
export async function sandboxRuntimeSpec(
  parts: Pick<SandboxParts, 'infraDirectory' | 'namespaceDirectory'>,
  { record, state }: Sandbox,
): Promise<unknown> {
  const ofInfra =
    state.infra === undefined
      ? undefined
      : await unlessMissing(readFile(join(bundleOf(parts, record.id), 'config.json'), 'utf8'), undefined);
  if (ofInfra !== undefined) return JSON.parse(ofInfra) as unknown;
  const joined = ociNamespaces({ ...namespacePaths(parts, record), pid: 'host' }, { cgroup: false });
  return {
    ociVersion: OCI_VERSION,
    hostname: record.hostname,
    linux: { namespaces: joined.filter(({ path }) => path !== undefined), cgroupsPath: record.cgroupParent },
  };
}
