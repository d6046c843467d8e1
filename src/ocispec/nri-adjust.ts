import { Field } from '../../api/nri/enums.ts';
import type { ContainerAdjustment, Hook, Hooks, LinuxContainerAdjustment, LinuxResources } from '../../api/nri/messages.ts';
import { present } from '../base/field.ts';
import { withCdiEdits } from './cdi-edits.ts';
import { appendHooks } from './hooks.ts';
import { inUserNamespace } from './in-user-namespace.ts';
import type { AdjustmentContext } from './nri-context.ts';
import { withDevices } from './nri-devices.ts';
import { ociMemoryPolicy, withEntries, withNamespaces, withNetDevices, withRdt, withSysctls } from './nri-linux.ts';
import { withMounts } from './nri-mounts.ts';
import { withEnvAndArgs, withRlimits, withScheduling } from './nri-process.ts';
import { quoted, refusedAs, refuserOf, refuseNul, type Refuse } from './nri-refusal.ts';
import { addedRules, criResourcesOf, furtherLimits, hugepagesAfter, partInWords } from './nri-resources.ts';
import { ociPolicy } from './nri-seccomp.ts';
import type { OciHook, OciHookName, OciResources, OciSpec } from './oci-types.ts';
import { ociResources, refuseSwapAlone } from './resources.ts';

/**
 * The spec of a container as the node's NRI plugins want it, with the meaning and in the order of upstream's
 * pkg/runtime-tools/generate: a key with "-" before it takes an entry away. What can never be or not here is refused; nothing
 * is left out without a word. docs/nri.md has a row for each field.
 * @param spec from buildSpec, so already as it must be in a user namespace.
 * @throws DaemonError FailedPrecondition that names the plugin (where `owners` tells it), the field and what must be.
 */
export function withAdjustment(spec: OciSpec, adjust: ContainerAdjustment, context: AdjustmentContext): OciSpec {
  const refuse = refuserOf('create container', context.owners);
  const { annotations, hooks, cdiDevices, linux, mounts, rlimits } = adjust;
  let adjusted: OciSpec = { ...spec, annotations: withAnnotations(spec.annotations, annotations, refuse) };
  adjusted = { ...adjusted, process: withEnvAndArgs(adjusted.process, adjust, refuse) };
  if (hooks !== undefined) adjusted = withHooks(adjusted, hooks, refuse);
  if (context.cdi !== undefined) adjusted = withCdiEdits(adjusted, context.cdi);
  else if (cdiDevices.length > 0) refuse({ field: Field.CdiDevices, key: cdiDevices[0]?.name }, 'CDI_devices are not resolved');
  if (linux !== undefined) adjusted = withLinux(adjusted, linux, context, refuse);
  adjusted = withMounts(adjusted, mounts, context, refuse);
  if (rlimits.length > 0) {
    const { process } = adjusted;
    adjusted = { ...adjusted, process: { ...process, rlimits: withRlimits(process.rlimits, rlimits, context.host, refuse) } };
  }
  const { userMapping, deviceSources, cdi } = context;
  const devices = [...deviceSources].map(([path, hostPath]) => ({ path, hostPath }));
  return inUserNamespace(adjusted, { userMapping, devices, cdi });
}

/** What tells debuggers and other runtimes whose container it is. */
const IDENTITY = /^io\.kubernetes\.cri\.(container-(type|name)|sandbox-(id|name|namespace|uid)|image-name)$/;

function withAnnotations(
  before: OciSpec['annotations'],
  asked: ContainerAdjustment['annotations'],
  refuse: Refuse,
): Readonly<Record<string, string>> {
  const after = withEntries(before, asked);
  for (const key of Object.keys(before)) {
    if (!IDENTITY.test(key) || before[key] === after[key]) continue;
    refuse({ field: Field.Annotations, key }, `annotations changes ${quoted(key)}, must not: it tells whose container it is`);
  }
  return after;
}

function withHooks(spec: OciSpec, hooks: Hooks, refuse: Refuse): OciSpec {
  const stages = (Object.entries(hooks) as [OciHookName, Hook[]][]).map(([stage, list]): [string, OciHook[]] => [
    stage,
    list.map((hook) => ociHook(stage, hook, refuse)),
  ]);
  const given = Object.fromEntries(stages.filter(([, list]) => list.length > 0)) as Partial<Record<OciHookName, OciHook[]>>;
  if (Object.keys(given).length === 0) return spec;
  const all = appendHooks(spec.hooks, given);
  return all === undefined ? spec : { ...spec, hooks: all };
}

/** Runtimes count nanoseconds: of many more the timeout would be over at once. */
const MOST_SECONDS = 2n ** 31n - 1n;

function ociHook(stage: string, { path, args, env, timeout }: Hook, refuse: Refuse): OciHook {
  const part = { field: Field.OciHooks };
  if (!path.startsWith('/')) refuse(part, `hooks.${stage} has the path ${quoted(path)}, must be absolute`);
  refuseNul([path, ...args, ...env], (words) => refuse(part, `hooks.${stage} ${words}`));
  if (timeout !== undefined && (timeout.value < 1n || timeout.value > MOST_SECONDS))
    refuse(part, `hooks.${stage} has the timeout ${timeout.value}, must be from 1 to ${MOST_SECONDS} seconds`);
  return {
    path,
    ...(args.length === 0 ? {} : { args }),
    ...(env.length === 0 ? {} : { env }),
    ...(timeout === undefined ? {} : { timeout: Number(timeout.value) }),
  };
}

function withLinux(before: OciSpec, asked: LinuxContainerAdjustment, context: AdjustmentContext, refuse: Refuse): OciSpec {
  const { cgroupsPath, seccompPolicy, memoryPolicy, resources } = asked;
  let spec = withDevices(before, asked.devices, context, refuse);
  const { cgroupMust } = context;
  if (cgroupMust !== undefined) refuse({ field: Field.CgroupsPath }, `linux.cgroups_path is ${quoted(cgroupsPath)}, ${cgroupMust}`);
  if (cgroupsPath !== '') spec = { ...spec, linux: { ...spec.linux, cgroupsPath } };
  spec = { ...spec, process: withScheduling(spec.process, asked, { runtime: context.runtime, host: context.host, refuse }) };
  if (seccompPolicy !== undefined) spec = { ...spec, linux: { ...spec.linux, seccomp: ociPolicy(seccompPolicy, context.host, refuse) } };
  spec = withNamespaces(spec, asked.namespaces, context, refuse);
  let linux = withSysctls(spec.linux, asked.sysctl, refuse);
  linux = withNetDevices(linux, asked.netDevices, context, refuse);
  if (memoryPolicy !== undefined) linux = { ...linux, memoryPolicy: ociMemoryPolicy(memoryPolicy, context, refuse) };
  if (resources !== undefined) linux = { ...linux, resources: withResources(linux.resources, resources, context, refuse) };
  return { ...spec, linux: withRdt(linux, asked, context, refuse) };
}

/** Field by field over those that are there, checked as those of a request are. */
function withResources(before: OciResources, asked: LinuxResources, context: AdjustmentContext, refuse: Refuse): OciResources {
  const { host } = context;
  const more = furtherLimits(asked, host, refuse);
  const limits = refusedAs(
    refuse,
    (words) => partInWords(words, asked),
    () => checkedLimits(before, asked, context),
  );
  const { cpu: cpuBefore, memory: memoryBefore, blockIO, ...rest } = before;
  const cpu = { ...withoutZeros(cpuBefore, asked.cpu), ...limits.cpu, ...more.cpu };
  const memory = { ...memoryBefore, ...limits.memory, ...more.memory };
  const devices = [...(before.devices ?? []), ...addedRules(asked, refuse)];
  const hugepages = hugepagesAfter(before.hugepageLimits ?? [], limits.hugepageLimits ?? []);
  const unified = { ...before.unified, ...limits.unified };
  const ofClass = asked.blockioClass?.value;
  if (ofClass !== undefined && ofClass !== '')
    refuse(
      { field: Field.BlockioClass },
      `linux.resources.blockio_class is ${quoted(ofClass)}, must be left out: podwright has no definitions of such classes`,
    );
  return {
    ...rest,
    ...(more.pids === undefined ? {} : { pids: more.pids }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(devices.length === 0 ? {} : { devices }),
    ...(hugepages.length === 0 ? {} : { hugepageLimits: hugepages }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
    ...(blockIO === undefined || ofClass === '' ? {} : { blockIO }),
  };
}

/** The limits that the CRI has a field for. A limit on swap is checked against that on memory, whoever has set it. */
function checkedLimits(before: OciResources, asked: LinuxResources, { host, warnOfMissing }: AdjustmentContext): OciResources {
  const cri = criResourcesOf(asked);
  const memoryBefore = cri.memorySwapLimitInBytes === 0n ? 0n : BigInt(before.memory?.limit ?? 0);
  const all = {
    ...cri,
    memoryLimitInBytes: cri.memoryLimitInBytes === 0n ? memoryBefore : cri.memoryLimitInBytes,
    unified: { ...before.unified, ...cri.unified },
  };
  refuseSwapAlone(all, host);
  return ociResources(all, host, warnOfMissing);
}

/** Zero takes a limit away: it is what a cgroup has by itself. */
function withoutZeros(before: OciResources['cpu'], asked: LinuxResources['cpu']): OciResources['cpu'] {
  const { shares, quota, period, ...rest } = before ?? {};
  const kept = (limit: number | undefined, change: { readonly value: bigint } | undefined): number | undefined =>
    change?.value === 0n ? undefined : limit;
  return {
    ...rest,
    ...present({ shares: kept(shares, asked?.shares), quota: kept(quota, asked?.quota), period: kept(period, asked?.period) }),
  };
}
