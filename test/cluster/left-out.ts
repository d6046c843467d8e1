/** Upstream's specs that are not run, each with what this node does not have. */
import { execa } from 'execa';

interface LeftOut {
  /** Of the spec's name. */
  readonly pattern: RegExp;
  readonly reason: string;
  /** Whether this node has not what the spec wants; never has it, where there is none. */
  readonly isLacking?: () => Promise<boolean>;
}

const LEFT_OUT: readonly LeftOut[] = [
  {
    pattern: /PrivilegedPod should enable privileged commands/,
    reason: 'this kernel has no dummy network devices, which the spec makes one of',
    isLacking: hasNoDummyDevices,
  },
  { pattern: /Conformance Tests should have at least two untainted nodes/, reason: 'the cluster has one node' },
  { pattern: /Daemon set should rollback without unnecessary restarts/, reason: 'the cluster has one node, the spec wants two' },
];

/** Why a spec is not run; undefined where it is. */
export async function reasonToLeaveOut(name: string): Promise<string | undefined> {
  for (const { pattern, reason, isLacking } of LEFT_OUT) if (pattern.test(name) && ((await isLacking?.()) ?? true)) return reason;
  return undefined;
}

async function hasNoDummyDevices(): Promise<boolean> {
  const { exitCode } = await execa('ip', ['link', 'add', 'probe0', 'type', 'dummy'], { reject: false });
  if (exitCode === 0) await execa('ip', ['link', 'delete', 'probe0']);
  return exitCode !== 0;
}
