import { Field } from '../../api/nri/enums.ts';
import type { LinuxSeccomp, LinuxSyscall } from '../../api/nri/messages.ts';
import type { HostFacts } from './host-facts.ts';
import { quoted, type Refuse } from './nri-refusal.ts';
import type { OciSeccomp, OciSeccompAction, OciSeccompOperator, OciSyscallRule } from './oci-types.ts';
import { SECCOMP_ACTIONS, SECCOMP_OPERATORS } from './seccomp-profile.ts';

/** A plugin's whole policy, in the place of the container's. What names of system calls and architectures there are is the runtime's to say. */
export function ociPolicy(policy: LinuxSeccomp, host: Pick<HostFacts, 'seccomp'>, refuse: Refuse): OciSeccomp {
  const part = { field: Field.SeccompPolicy };
  if (!host.seccomp) refuse(part, 'linux.seccomp_policy is set, must not be: this kernel has no seccomp');
  const action = (text: string): OciSeccompAction =>
    SECCOMP_ACTIONS.find((each) => each === text) ??
    refuse(part, `linux.seccomp_policy has the action ${quoted(text)}, must be one of ${SECCOMP_ACTIONS.join(', ')}`);
  const operator = (text: string): OciSeccompOperator =>
    SECCOMP_OPERATORS.find((each) => each === text) ??
    refuse(part, `linux.seccomp_policy has the operator ${quoted(text)}, must be one of ${SECCOMP_OPERATORS.join(', ')}`);
  const { defaultErrno, architectures, flags, listenerPath, listenerMetadata } = policy;
  return {
    defaultAction: action(policy.defaultAction),
    ...(defaultErrno === undefined ? {} : { defaultErrnoRet: defaultErrno.value }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(flags.length === 0 ? {} : { flags }),
    ...(listenerPath === '' ? {} : { listenerPath }),
    ...(listenerMetadata === '' ? {} : { listenerMetadata }),
    syscalls: policy.syscalls.map((rule) => syscallRule(rule, action, operator)),
  };
}

function syscallRule(
  { names, action, errnoRet, args }: LinuxSyscall,
  toAction: (text: string) => OciSeccompAction,
  toOperator: (text: string) => OciSeccompOperator,
): OciSyscallRule {
  return {
    names,
    action: toAction(action),
    ...(errnoRet === undefined ? {} : { errnoRet: errnoRet.value }),
    ...(args.length === 0
      ? {}
      : {
          args: args.map(({ index, value, valueTwo, op }) => ({
            index,
            value: plain(value),
            ...(valueTwo === 0n ? {} : { valueTwo: plain(valueTwo) }),
            op: toOperator(op),
          })),
        }),
  };
}

function plain(value: bigint): number | bigint {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value);
}
