import { readFile } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { ociNamespaces } from '../ocispec/namespaces.ts';
import { OCI_VERSION } from '../ocispec/oci-types.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import type { Sandbox } from './sandbox.ts';

/**
 * What `crictl inspectp` shows as runtimeSpec: the spec of the infra container where the pod has one; else the part that all
 * containers of the pod share: the namespaces with their paths, and the cgroup.
 */
export async function sandboxRuntimeSpec(parts: Pick<SandboxParts, 'directories'>, { record, state }: Sandbox): Promise<unknown> {
  const paths = pathsOf(parts, record.id);
  const ofInfra = state.infra === undefined ? undefined : await unlessMissing(readFile(paths.infra.specFile, 'utf8'), undefined);
  if (ofInfra !== undefined) return JSON.parse(ofInfra) as unknown;
  const joined = ociNamespaces({ ...paths.namespacesOf(record), pid: 'host' }, { cgroup: false });
  return {
    ociVersion: OCI_VERSION,
    hostname: record.hostname,
    linux: { namespaces: joined.filter(({ path }) => path !== undefined), cgroupsPath: record.cgroupParent },
  };
}
