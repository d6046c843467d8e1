/** The unit tests on arm64, by qemu's emulation of single programs: all in one process, since each start of Node takes seconds there. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { GuestLine } from './guest/steps.ts';

const NAME = 'arm64: the unit tests under qemu-user';

/** @param disk the machine's, read only. @param program that of arm64, staged. @param work an existing directory. */
export async function arm64Units(disk: string, program: string, work: string, signal: AbortSignal): Promise<GuestLine> {
  const mountPoint = join(work, 'arm64-root');
  await mkdir(mountPoint);
  const begun = Date.now();
  const script = [join(import.meta.dirname, 'unit-arm64.sh'), disk, program, mountPoint];
  const ran = await execa('unshare', ['--mount', '--propagation', 'private', 'bash', ...script], {
    ...{ stdin: 'ignore', all: true, lines: true, reject: false, cancelSignal: signal },
  });
  const count = (word: string): number => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(ran.stdout.join('\n'))?.[1] ?? NaN);
  const [passed, failed] = [count('pass'), count('fail')];
  const ms = Date.now() - begun;
  if (!ran.failed && passed > 0 && failed === 0)
    return { kind: 'passed', name: `${NAME}: ${passed} passed, ${count('skipped')} skipped`, ms };
  const broken = ran.all.filter((line) => /^\s*not ok /.test(line));
  return { kind: 'failed', name: NAME, ms, why: [ran.shortMessage ?? '', ...broken, ...ran.all.slice(-40)].join('\n') };
}
