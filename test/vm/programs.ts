import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program to its end. @throws with its last lines where it fails. */
export async function runProgram(program: string, args: readonly string[], options: { readonly timeoutMs: number }): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { timeout: options.timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const words = `${stdout}\n${stderr}`.trim().split('\n').slice(-20).join('\n');
    throw new Error(`${program} ${args.slice(0, 3).join(' ')}: failed: ${words}`, { cause: error });
  }
}

/** What each program that the VM test needs is in, on Debian. */
const NEEDED: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'qemu-system-x86_64': 'qemu-system-x86',
  mke2fs: 'e2fsprogs',
};

/** Installs what is missing, by apt. Root. */
export async function installMissing(tell: (line: string) => void): Promise<void> {
  const missing: string[] = [];
  for (const [program, name] of Object.entries(NEEDED)) {
    const found = await execute('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin; command -v ${program}`]).catch(() => undefined);
    if (found === undefined) missing.push(name);
  }
  if (missing.length === 0) return;
  tell(`installing ${missing.join(', ')}`);
  await runProgram('apt-get', ['update', '-qq'], { timeoutMs: 5 * 60_000 });
  await runProgram('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { timeoutMs: 10 * 60_000 });
}
