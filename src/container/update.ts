import { readFile } from 'node:fs/promises';
import type { LinuxContainerResources } from '../../api/cri/runtime.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { stage } from '../base/stage.ts';
import { isAlive, type ProcessIdentity } from '../linux/process.ts';
import { mergeResources } from '../ocispec/merge-resources.ts';
import type { OciResources, OciSpec } from '../ocispec/oci-types.ts';
import { ociResources, refuseSwapAlone } from '../ocispec/resources.ts';
import { exactIntegers, jsonOf, specFromJson } from '../ocispec/spec-json.ts';
import { cgroupOf, type Container, type ContainerRecord } from './container.ts';
import { inNameOfUnified } from './in-name-of-field.ts';
import type { ResourceChange } from './lifecycle.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

/** Runs the runtime's command; it ends where a stop comes to SIGKILL. */
export type UntilKilled = (command: (signal: AbortSignal) => Promise<void>) => Promise<void>;

/** @throws where the change would be refused before anything is done of it. */
export async function checkUpdate(parts: ContainerParts, { record, state }: Container, change: LinuxContainerResources): Promise<void> {
  hugepagesAsBefore(record, state.resources, change);
  await refuseBelowUsage(parts, { record, state }, change.memoryLimitInBytes);
  if (change.memorySwapLimitInBytes > 0n) refuseSwapAlone(mergeResources(state.resources, change), parts.hostFacts());
}

/**
 * Changes the limits of a container, as Containers.update() says. The caller holds its lock, and has looked at its state.
 */
export async function updateContainer(
  parts: ContainerParts,
  container: Container,
  { cri, more = {} }: ResourceChange,
  untilKilled: UntilKilled,
): Promise<void> {
  const { record, state } = container;
  const { id } = record;
  await checkUpdate(parts, container, cri);
  const change = { ...cri, hugepageLimits: hugepagesAsBefore(record, state.resources, cri) };
  const resources = mergeResources(state.resources, change);
  const warn = (words: string): void => {
    parts.log.warn(`update container: ${words}`, { containerId: id });
  };
  const warnOfMissing = parts.specSettings(record.runtimeHandler).tolerateMissingHugetlb ? warn : undefined;
  // All of unified: what an update leaves out, runc forgets and systemd takes back to its own choice (memory.oom.group to 0).
  const limits = withMore(ociResources({ ...change, unified: resources.unified }, parts.hostFacts(), warnOfMissing), more);
  const update = async (to: OciResources): Promise<void> => untilKilled(async (signal) => runtimeOf(parts, record).update(id, to, signal));
  try {
    await update(limits);
  } catch (error) {
    await refuseEnded(id, state.process, error);
    // A runtime writes file by file, and stops at the first that the kernel refuses.
    const before = ociResources(state.resources, parts.hostFacts(), warnOfMissing);
    await update(withMore(before, await limitsBefore(bundleOf(parts, id).specFile, more))).catch((failure: unknown) => {
      warn(`its limits of before cannot be set again: ${messageOf(failure)}`);
    });
    throw inNameOfUnified(`update container ${id}`, error, change.unified);
  }
  // runc has refused one that has ended; crun finds its cgroup and is content.
  await refuseEnded(id, state.process);
  stage('container.updated');
  await parts.store.save(id, { ...state, resources });
  await rewriteSpec(bundleOf(parts, id).specFile, limits);
}

/** Limits with those that the CRI has no word for, one level deep. */
function withMore(limits: OciResources, more: OciResources): OciResources {
  const { cpu, memory, unified } = more;
  return {
    ...limits,
    ...more,
    ...(cpu === undefined ? {} : { cpu: { ...limits.cpu, ...cpu } }),
    ...(memory === undefined ? {} : { memory: { ...limits.memory, ...memory } }),
    ...(unified === undefined ? {} : { unified: { ...limits.unified, ...unified } }),
  };
}

/** Of the limits that the CRI has no word for, what a spec has where `more` has others. What it does not have cannot be set again. */
async function limitsBefore(file: string, more: OciResources): Promise<OciResources> {
  if (Object.keys(more).length === 0) return {};
  const spec = specFromJson(await readFile(file, 'utf8')) as OciSpec;
  return Object.fromEntries(Object.entries(spec.linux.resources).filter(([name]) => name in more));
}

/** The end of a container is recorded under the lock that the update holds, so the state does not tell it yet. */
async function refuseEnded(id: string, process: ProcessIdentity, cause?: unknown): Promise<void> {
  if (!(await isAlive(process))) throw new DaemonError('FailedPrecondition', `update container ${id}: it has ended`, { cause });
}

/**
 * The limits on huge pages that a container has, of the sizes that a change names. `runc update` passes over them, so that another
 * limit would be shown and not be there. The same ones again are fine, and so are those of the request that made the container: the
 * kubelet names all limits at each resize, and does not know of what an NRI plugin has made of them.
 */
export function hugepagesAsBefore(
  { id, config }: Pick<ContainerRecord, 'id' | 'config'>,
  before: LinuxContainerResources | undefined,
  { hugepageLimits }: LinuxContainerResources,
): LinuxContainerResources['hugepageLimits'] {
  const limitIn = (resources: LinuxContainerResources | undefined, size: string): bigint | undefined =>
    resources?.hugepageLimits.find(({ pageSize }) => pageSize === size)?.limit;
  return hugepageLimits.map((asked) => {
    const had = limitIn(before, asked.pageSize);
    const isKnown = asked.limit === had || asked.limit === limitIn(config.linux?.resources, asked.pageSize);
    if (had !== undefined && isKnown) return { ...asked, limit: had };
    return fail(
      'FailedPrecondition',
      `update container ${id}: hugepage_limits asks for ${asked.limit} bytes of ${asked.pageSize}, must be ${had === undefined ? 'none' : `the ${had}`} as at its creation: a limit on huge pages cannot be changed`,
    );
  });
}

async function refuseBelowUsage({ placement, cgroups }: ContainerParts, container: Container, limit: bigint): Promise<void> {
  if (limit <= 0n) return;
  const usage = await cgroups.usage(cgroupOf(placement, container));
  const working = usage?.memory?.workingSetBytes;
  if (working === undefined || limit >= working) return;
  fail(
    'FailedPrecondition',
    `update container ${container.record.id}: memory_limit_in_bytes is ${limit}, must be at least the ${working} bytes in use`,
  );
}

/** The spec that `inspect` shows follows, one level deep: cpu, memory and so on. Nothing else reads it after the creation. */
async function rewriteSpec(file: string, limits: OciResources): Promise<void> {
  const spec = Field.parse(await readFile(file, 'utf8'), file, exactIntegers);
  const linux = spec.at('linux');
  const before = linux.at('resources');
  const resources: Record<string, unknown> = { ...before.object() };
  for (const [name, limit] of Object.entries(limits) as [string, object][])
    resources[name] = Array.isArray(limit) ? limit : { ...before.at(name).given?.object(), ...limit };
  // Written as a whole, as an exec may read it meanwhile.
  await writeFileAtomic(file, jsonOf({ ...spec.object(), linux: { ...linux.object(), resources } }), { durable: false });
}
