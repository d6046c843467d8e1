import { execa } from 'execa';

/** Runs a program to its end. @throws with its last lines where it fails. */
export async function runProgram(program: string, args: readonly string[], options: { readonly timeoutMs: number }): Promise<void> {
  const ran = await execa(program, args, { timeout: options.timeoutMs, killSignal: 'SIGKILL', all: true, lines: true, reject: false });
  if (ran.failed) throw new Error([ran.shortMessage, ...ran.all.slice(-20)].join('\n'), { cause: ran });
}

/** What each program that the VM test needs is in, on Debian. */
const NEEDED: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'qemu-system-x86_64': 'qemu-system-x86',
  mke2fs: 'e2fsprogs',
  strip: 'binutils',
};

/** And what the arm64 machine needs besides. */
const NEEDED_ARM64: Readonly<Record<string, string>> = {
  'qemu-system-aarch64': 'qemu-system-arm',
  'qemu-aarch64-static': 'qemu-user-static',
  'aarch64-linux-gnu-strip': 'binutils-aarch64-linux-gnu',
};

/** Installs what is missing, by apt. Root. */
export async function installMissing(isArm64: boolean, tell: (line: string) => void): Promise<void> {
  const missing: string[] = [];
  for (const [program, name] of Object.entries({ ...NEEDED, ...(isArm64 && NEEDED_ARM64) })) {
    const { failed } = await execa('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin; command -v ${program}`], { reject: false });
    if (failed) missing.push(name);
  }
  if (missing.length === 0) return;
  tell(`installing ${missing.join(', ')}`);
  await runProgram('apt-get', ['update', '-qq'], { timeoutMs: 5 * 60_000 });
  await runProgram('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { timeoutMs: 10 * 60_000 });
}
