import type { ContainerAdjustment, FieldOwners } from '../../api/nri/messages.ts';
import { planCdiDevices } from '../container/cdi-devices.ts';
import type { AdjustedCreation, Creation } from '../container/lifecycle.ts';
import type { ContainerParts } from '../container/parts.ts';
import { withAdjustment } from '../ocispec/nri-adjust.ts';
import { readAdjustmentFacts } from '../ocispec/nri-facts.ts';
import { resourcesAfter } from '../ocispec/nri-resources.ts';

/** What of the node an adjustment depends on. */
export type AdjustParts = Pick<ContainerParts, 'cdi' | 'hostFacts' | 'specSettings' | 'log'>;

/**
 * What a container is made with after what the plugins together want of it. Its CDI devices are found as those of a request.
 * @param owners which plugin wants what; refusals name it.
 * @throws DaemonError that names the field and what must be.
 */
export async function adjustCreation(
  parts: AdjustParts,
  { record, sandbox, spec, runtime }: Creation,
  adjust: ContainerAdjustment,
  owners: FieldOwners | undefined,
): Promise<AdjustedCreation> {
  const userMapping = sandbox.record.namespaces.user;
  const config = { ...record.config, cdiDevices: adjust.cdiDevices, annotations: {} };
  const [facts, cdi] = await Promise.all([
    readAdjustmentFacts(adjust, userMapping),
    planCdiDevices(parts.cdi, { config, sandbox, runtime }),
  ]);
  const warn = (words: string): void => {
    parts.log.warn(`create container: ${words}`, { containerId: record.id });
  };
  const warnOfMissing = parts.specSettings(record.runtimeHandler).tolerateMissingHugetlb ? warn : undefined;
  const context = { ...facts, cdi, runtime, host: parts.hostFacts(), userMapping, owners, warnOfMissing };
  return { spec: withAdjustment(spec, adjust, context), resources: resourcesAfter(record.config.linux?.resources, adjust) };
}
