import { DaemonError } from '../base/errors.ts';
import type { OciSeccomp, OciSeccompArg, OciSyscallRule, OciSeccompAction, OciSeccompOperator } from './oci-types.ts';

/** When a rule of a profile holds: all that is named must be so. */
export interface SeccompCondition {
  /** Every one of these is in the container's bounding set (for `excludes`: any one). */
  readonly caps?: readonly string[];
  /** The machine is one of these, by the names of Go: amd64, arm64. */
  readonly arches?: readonly string[];
  /** The kernel is at least this: `4.8`. */
  readonly minKernel?: string;
}

/** One rule: calls, what happens to them, and when the rule holds. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: OciSeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArg[];
  readonly includes?: SeccompCondition;
  readonly excludes?: SeccompCondition;
}

/**
 * A profile as people write and share them: the OCI form, or docker's with conditions and an architecture map
 * (https://docs.docker.com/engine/security/seccomp/).
 */
export interface SeccompProfile {
  readonly defaultAction: OciSeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompTarget {
  /** As process.arch. */
  readonly architecture: string;
  readonly kernel: { readonly major: number; readonly minor: number };
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
}

/** The names of an architecture: of Node, of Go, of libseccomp. */
const ARCHITECTURES: Readonly<Record<string, { readonly go: string; readonly seccomp: string }>> = {
  x64: { go: 'amd64', seccomp: 'SCMP_ARCH_X86_64' },
  arm64: { go: 'arm64', seccomp: 'SCMP_ARCH_AARCH64' },
};

/** The profile as the OCI spec has it: conditions decided for this container, the architectures of this machine. */
export function toOciSeccomp(profile: SeccompProfile, target: SeccompTarget): OciSeccomp {
  const { archMap, syscalls, ...kept } = profile;
  const own = ARCHITECTURES[target.architecture];
  const mapped = archMap?.find(({ architecture }) => architecture === own?.seccomp);
  const architectures = mapped === undefined ? profile.architectures : [mapped.architecture, ...mapped.subArchitectures];
  return {
    ...kept,
    ...(architectures === undefined ? {} : { architectures }),
    syscalls: syscalls.filter((rule) => holds(rule, target, own?.go)).map(withoutConditions),
  };
}

function holds({ includes, excludes }: SeccompRule, target: SeccompTarget, goArchitecture: string | undefined): boolean {
  const isArchitecture = (names: readonly string[]): boolean => goArchitecture !== undefined && names.includes(goArchitecture);
  const has = (name: string): boolean => target.capabilities.includes(name);
  if (includes?.caps?.every(has) === false) return false;
  if (includes?.arches !== undefined && includes.arches.length > 0 && !isArchitecture(includes.arches)) return false;
  if (includes?.minKernel !== undefined && !isAtLeast(target.kernel, includes.minKernel)) return false;
  if (excludes?.caps?.some(has) === true) return false;
  if (excludes?.arches !== undefined && isArchitecture(excludes.arches)) return false;
  return excludes?.minKernel === undefined || !isAtLeast(target.kernel, excludes.minKernel);
}

function isAtLeast(kernel: SeccompTarget['kernel'], text: string): boolean {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function withoutConditions({ includes: _includes, excludes: _excludes, ...rule }: SeccompRule): OciSyscallRule {
  return rule;
}

const ACTIONS: readonly string[] = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] satisfies OciSeccompAction[];

const OPERATORS: readonly string[] = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] satisfies OciSeccompOperator[];

/**
 * Reads the text of a profile file.
 * @throws DaemonError InvalidArgument where it is no JSON, or not the JSON of a profile.
 */
export function parseSeccompProfile(text: string): SeccompProfile {
  let data: unknown;
  try {
    data = JSON.parse(text, keepInt64);
  } catch (error) {
    throw new DaemonError('InvalidArgument', 'read seccomp profile: it is no JSON, must be a profile', { cause: error });
  }
  const problem = problemOf(data);
  if (problem !== undefined) throw new DaemonError('InvalidArgument', `read seccomp profile: ${problem}`);
  const profile = data as SeccompProfile & { syscalls: readonly (SeccompRule & { readonly name?: string })[] };
  return { ...profile, syscalls: profile.syscalls.map(withNames) };
}

/** Arguments are compared as unsigned 64-bit numbers, which a JavaScript number rounds. */
function keepInt64(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^\d+$/.test(source) ? BigInt(source) : value;
}

/** Old profiles have one rule a call, with `name` in place of `names`; fields that say nothing may be null. */
function withNames(rule: SeccompRule & { readonly name?: string }): SeccompRule {
  const { name, ...rest } = rule;
  const entries = Object.entries(name === undefined ? rest : { ...rest, names: [name] }).filter(
    ([, value]: [string, unknown]) => value !== null,
  );
  return Object.fromEntries(entries) as unknown as SeccompRule;
}

function problemOf(data: unknown): string | undefined {
  if (!isObject(data)) return 'it is no object, must be one';
  if (!isAction(data['defaultAction']))
    return `defaultAction is ${JSON.stringify(data['defaultAction'])}, must be one of ${ACTIONS.join(', ')}`;
  const { syscalls } = data;
  if (syscalls === undefined || syscalls === null) {
    data['syscalls'] = [];
    return undefined;
  }
  if (!Array.isArray(syscalls)) return 'syscalls is no list, must be one';
  for (const [index, rule] of syscalls.entries()) {
    const problem = ruleProblem(rule);
    if (problem !== undefined) return `syscalls[${index}]${problem}`;
  }
  return undefined;
}

function ruleProblem(rule: unknown): string | undefined {
  if (!isObject(rule)) return ' is no object, must be one';
  const names = rule['names'] ?? [rule['name']];
  if (!Array.isArray(names) || names.some((name) => typeof name !== 'string')) return '.names must be a list of system calls';
  if (!isAction(rule['action'])) return `.action is ${JSON.stringify(rule['action'])}, must be one of ${ACTIONS.join(', ')}`;
  const args = rule['args'] ?? [];
  if (!Array.isArray(args)) return '.args is no list, must be one';
  const good = args.every((arg) => isObject(arg) && typeof arg['index'] === 'number' && OPERATORS.includes(String(arg['op'])));
  return good ? undefined : `.args must each have an index and an op of ${OPERATORS.join(', ')}`;
}

function isAction(value: unknown): boolean {
  return typeof value === 'string' && ACTIONS.includes(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
