import { Field, IOPrioClass, LinuxSchedulerFlag, LinuxSchedulerPolicy } from '../../api/nri/enums.ts';
import type { ContainerAdjustment, KeyValue, LinuxContainerAdjustment, LinuxScheduler, POSIXRlimit } from '../../api/nri/messages.ts';
import type { HostFacts } from './host-facts.ts';
import type { RuntimeFacts } from './input.ts';
import { entryKey, quoted, refuseNul, type Refuse } from './nri-refusal.ts';
import type { OciIoPriority, OciProcess, OciRlimit, OciScheduler } from './oci-types.ts';
import { clampOomScoreAdj, withinCeiling } from './process.ts';

/** Variables and command line. */
export function withEnvAndArgs(process: OciProcess, { env, args }: ContainerAdjustment, refuse: Refuse): OciProcess {
  const first = args[0] ?? process.args[0] ?? '';
  if (args.length > 0 && first === '') refuse({ field: Field.Args }, 'args begin with an empty word, must name a program');
  refuseNul(args, (words) => refuse({ field: Field.Args }, `args ${words}`));
  return { ...process, env: withVariables(process.env, env, refuse), args: args.length === 0 ? process.args : args };
}

/** One that is there is changed, or taken away, where it stands; a new one comes last. */
function withVariables(env: readonly string[], asked: readonly KeyValue[], refuse: Refuse): string[] {
  const changes = new Map<string, KeyValue>();
  for (const entry of asked) {
    const { key } = entryKey(entry.key);
    checkVariable(key, entry, refuse);
    changes.set(key, entry);
  }
  const present = env.flatMap((entry) => {
    const name = entry.split('=', 1)[0] ?? '';
    const change = changes.get(name);
    if (change === undefined) return [entry];
    changes.delete(name);
    return entryKey(change.key).isRemoved ? [] : [`${change.key}=${change.value}`];
  });
  const added = new Map<string, string>();
  for (const { key, value } of asked) if (changes.has(key) && !entryKey(key).isRemoved) added.set(key, value);
  return [...present, ...[...added].map(([key, value]) => `${key}=${value}`)];
}

function checkVariable(key: string, { key: asked, value }: KeyValue, refuse: Refuse): void {
  const part = { field: Field.Env, key };
  if (entryKey(asked).isRemoved) return;
  if (key === '' || key.includes('=')) refuse(part, `env has the key ${quoted(key)}, must not be empty or hold "="`);
  if (key.includes('\0') || value.includes('\0')) refuse(part, `env: ${quoted(key)} or its value holds a NUL byte, must not`);
}

/** A limit of a type that is there takes its place. */
export function withRlimits(
  rlimits: readonly OciRlimit[],
  asked: readonly POSIXRlimit[],
  host: Pick<HostFacts, 'rlimitCeilings'>,
  refuse: Refuse,
): OciRlimit[] {
  const limits = new Map(rlimits.map((limit) => [limit.type, limit]));
  for (const { type, soft, hard } of asked) {
    const part = { field: Field.Rlimits, key: type };
    if (!RLIMITS.has(type)) refuse(part, `rlimits has the type ${quoted(type)}, must be one of ${[...RLIMITS].join(', ')}`);
    if (soft > hard) refuse(part, `rlimits: ${type} is soft ${soft}, must not be above hard, ${hard}`);
    limits.set(type, withinCeiling({ type, soft: plain(soft), hard: plain(hard) }, host));
  }
  return [...limits.values()];
}

/** getrlimit(2). */
const RLIMITS: ReadonlySet<string> = new Set(
  ['AS', 'CORE', 'CPU', 'DATA', 'FSIZE', 'LOCKS', 'MEMLOCK', 'MSGQUEUE', 'NICE', 'NOFILE', 'NPROC', 'RSS', 'RTPRIO', 'RTTIME', 'SIGPENDING', 'STACK'].map((name) => `RLIMIT_${name}`),
); // prettier-ignore

/** A bigint only where a number would lose digits, as everywhere in a spec. */
function plain(value: bigint): number | bigint {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value);
}

/** OOM score, I/O priority, scheduler. */
export function withScheduling(
  process: OciProcess,
  linux: LinuxContainerAdjustment,
  {
    runtime,
    host,
    refuse,
  }: { readonly runtime: RuntimeFacts; readonly host: Pick<HostFacts, 'oomScoreAdjFloor'>; readonly refuse: Refuse },
): OciProcess {
  const score = linux.oomScoreAdj?.value;
  if (score !== undefined && (score < -1000n || score > 1000n))
    refuse({ field: Field.OomScoreAdj }, `linux.oom_score_adj is ${score}, must be from -1000 to 1000`);
  const { ioPriority: hadPriority, scheduler: hadScheduler, ...rest } = process;
  const ioPriority = linux.ioPriority === undefined ? hadPriority : ociIoPriority(linux.ioPriority, runtime, refuse);
  const scheduler = linux.scheduler === undefined ? hadScheduler : ociScheduler(linux.scheduler, runtime, refuse);
  return {
    ...rest,
    ...(score === undefined ? {} : { oomScoreAdj: clampOomScoreAdj(Number(score), host) }),
    ...(ioPriority === undefined ? {} : { ioPriority }),
    ...(scheduler === undefined ? {} : { scheduler }),
  };
}

const SCHEDULING_WORDS = 'must not be: the runtime handler does not know it, by its features (OCI runtime spec 1.1; runc 1.2)';

/** The class NONE takes it away. */
function ociIoPriority(
  { class: number, priority }: NonNullable<LinuxContainerAdjustment['ioPriority']>,
  runtime: RuntimeFacts,
  refuse: Refuse,
): OciIoPriority | undefined {
  const part = { field: Field.IoPriority };
  const name = nameIn(IOPrioClass, number) ?? refuse(part, `linux.io_priority.class is ${number}, must be from 0 to 3`);
  if (number === IOPrioClass.IOPRIO_CLASS_NONE) return undefined;
  if (priority < 0 || priority > 7) refuse(part, `linux.io_priority.priority is ${priority}, must be from 0 to 7`);
  if (!runtime.scheduling) refuse(part, `linux.io_priority is set, ${SCHEDULING_WORDS}`);
  return { class: name, priority };
}

/** The policy NONE takes it away. */
function ociScheduler(scheduler: LinuxScheduler, runtime: RuntimeFacts, refuse: Refuse): OciScheduler | undefined {
  const part = { field: Field.LinuxSched };
  const { policy, nice, priority, flags, ...times } = scheduler;
  const name = nameIn(LinuxSchedulerPolicy, policy) ?? refuse(part, `linux.scheduler.policy is ${policy}, must be from 0 to 7`);
  if (policy === LinuxSchedulerPolicy.SCHED_NONE) return undefined;
  if (!runtime.scheduling) refuse(part, `linux.scheduler is set, ${SCHEDULING_WORDS}`);
  const flagNames = flags.map(
    (flag) => nameIn(LinuxSchedulerFlag, flag) ?? refuse(part, `linux.scheduler.flags has ${flag}, must be from 0 to 6`),
  );
  const durations = Object.entries(times).filter(([, value]) => value !== 0n);
  return {
    policy: name,
    ...(nice === 0 ? {} : { nice }),
    ...(priority === 0 ? {} : { priority }),
    ...(flagNames.length === 0 ? {} : { flags: flagNames }),
    ...Object.fromEntries(durations.map(([what, value]) => [what, plain(value)])),
  };
}

/** The name of an enum's value; undefined of one that this version does not know. */
export function nameIn(values: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.entries(values).find(([, each]) => each === value)?.[0];
}
