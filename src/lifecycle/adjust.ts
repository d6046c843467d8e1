import type { ContainerAdjustment, FieldOwners } from '../../api/nri/messages.ts';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import { present } from '../base/field.ts';
import { planCdiDevices } from '../container/cdi-devices.ts';
import type { ChosenCgroups } from '../container/chosen-cgroups.ts';
import type { AdjustedCreation, Creation } from '../container/lifecycle.ts';
import type { ContainerParts } from '../container/parts.ts';
import { withAdjustment } from '../ocispec/nri-adjust.ts';
import { readAdjustmentFacts } from '../ocispec/nri-facts.ts';
import { resourcesAfter } from '../ocispec/nri-resources.ts';

/** What of the node an adjustment depends on. */
export type AdjustParts = Pick<ContainerParts, 'cdi' | 'hostFacts' | 'specSettings' | 'log'> & {
  readonly chosenCgroups: Pick<ChosenCgroups, 'hold'>;
};

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
  const path = adjust.linux?.cgroupsPath ?? '';
  const chosenCgroup = path === '' || path === record.cgroupsPath ? undefined : path;
  const cgroupMust = chosenCgroup === undefined ? undefined : await parts.chosenCgroups.hold(record, chosenCgroup);
  const context = { ...facts, cgroupMust, cdi, runtime, host: parts.hostFacts(), userMapping, owners, warnOfMissing };
  return {
    spec: withAdjustment(spec, adjust, context),
    resources: resourcesAfter(record.config.linux?.resources, adjust),
    ...present({ chosenCgroup }),
  };
}

/** Failures that the spec may be to blame for. */
const OF_THE_SPEC: readonly string[] = ['Internal', 'NotFound', 'FailedPrecondition', 'InvalidArgument'];

/** The error of a container that could not be made, with those who have adjusted it: a runtime's words name no plugin. */
export function namingAdjusters(error: unknown, owners: FieldOwners | undefined): unknown {
  const compound = Object.values(owners?.compound ?? {}).flatMap((of) => Object.values(of.owners));
  // Of a field that several may add to the owners are joined.
  const names = [...Object.values(owners?.simple ?? {}), ...compound].flatMap((name) => name.split(','));
  const kind = kindOf(error);
  const message = messageOf(error);
  if (names.length === 0 || !OF_THE_SPEC.includes(kind) || message.includes('NRI plugin')) return error;
  const distinct = [...new Set(names)].sort();
  return new DaemonError(kind, `${message} (adjusted by NRI plugin${distinct.length === 1 ? '' : 's'} ${distinct.join(', ')})`, {
    cause: error,
  });
}
