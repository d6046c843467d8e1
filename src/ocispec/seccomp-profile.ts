import { Field, present } from '../base/field.ts';
import { exactIntegers } from './spec-json.ts';
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

export const SECCOMP_ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const satisfies OciSeccompAction[];

export const SECCOMP_OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const satisfies OciSeccompOperator[];

/**
 * Reads the text of a profile file. Fields that say nothing may be null; those that are not known here go to the runtime as they are.
 * @throws DaemonError InvalidArgument that names the field.
 */
export function parseSeccompProfile(text: string): SeccompProfile {
  const profile = Field.parse(text, 'read seccomp profile', exactIntegers);
  const texts = (name: string): string[] | undefined => profile.at(name).given?.texts();
  return {
    ...givenFields(profile),
    defaultAction: profile.at('defaultAction').oneOf(SECCOMP_ACTIONS),
    syscalls: profile.at('syscalls').given?.list(readRule) ?? [],
    ...present({
      defaultErrnoRet: profile.at('defaultErrnoRet').given?.count(),
      architectures: texts('architectures'),
      archMap: profile.at('archMap').given?.list((entry) => ({
        architecture: entry.at('architecture').text(),
        subArchitectures: entry.at('subArchitectures').given?.texts() ?? [],
      })),
      flags: texts('flags'),
      listenerPath: profile.at('listenerPath').given?.text(),
      listenerMetadata: profile.at('listenerMetadata').given?.text(),
    }),
  };
}

function readRule(rule: Field): SeccompRule {
  const { name: _name, ...kept } = givenFields(rule);
  // Old profiles have one rule a call, with `name` in place of `names`.
  const name = rule.at('name').given?.text();
  return {
    ...kept,
    names: name === undefined ? rule.at('names').texts() : [name],
    action: rule.at('action').oneOf(SECCOMP_ACTIONS),
    ...present({
      errnoRet: rule.at('errnoRet').given?.count(),
      args: rule.at('args').given?.list(readArg),
      includes: readCondition(rule.at('includes').given),
      excludes: readCondition(rule.at('excludes').given),
    }),
  };
}

function readArg(arg: Field): OciSeccompArg {
  return {
    index: arg.at('index').count(),
    value: arg.at('value').given?.unsigned() ?? 0,
    ...present({ valueTwo: arg.at('valueTwo').given?.unsigned() }),
    op: arg.at('op').oneOf(SECCOMP_OPERATORS),
  };
}

function readCondition(condition: Field | undefined): SeccompCondition | undefined {
  return (
    condition &&
    present({
      caps: condition.at('caps').given?.texts(),
      arches: condition.at('arches').given?.texts(),
      minKernel: condition.at('minKernel').given?.text(),
    })
  );
}

function givenFields(field: Field): Record<string, unknown> {
  return Object.fromEntries(Object.entries(field.object()).filter(([, value]) => value !== null));
}
