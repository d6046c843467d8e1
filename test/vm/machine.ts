/** One boot of the guest under qemu's software emulation: no kernel module, no device and no network of the host is used. */
import { execa } from 'execa';
import type { GuestImage, SecurityModule } from './guest-image.ts';

const QEMU = 'qemu-system-x86_64';

export interface BootOptions {
  readonly image: Pick<GuestImage, 'kernel' | 'initrd'>;
  /** Which one the kernel has on, besides those that every kernel has. */
  readonly module: SecurityModule;
  /** The guest's own disk, written to. */
  readonly disk: string;
  /** Read only. */
  readonly payload: string;
  /** Where the console's output goes. */
  readonly consoleLog: string;
  /** Sees each line of the second serial port. */
  readonly onLine: (line: string) => void;
  /** Ends the machine. */
  readonly signal: AbortSignal;
}

/** Runs the machine until it goes down. @throws where qemu fails or the signal ends it. */
export async function boot(options: BootOptions): Promise<void> {
  const selinux = options.module === 'selinux' ? ' security=selinux selinux=1' : '';
  // A host that has other work gives no timer interrupt in time for the kernel's own check of it, which ends in a panic.
  const kernelLine = `root=/dev/vda rw console=ttyS0 quiet mitigations=off no_timer_check panic=-1 systemd.show_status=no${selinux}`;
  const args = [
    '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1536', '-nodefaults', '-display', 'none', '-no-reboot',
    '-kernel', options.image.kernel, '-initrd', options.image.initrd, '-append', kernelLine,
    '-drive', `file=${options.disk},format=raw,if=virtio,cache=unsafe`,
    '-drive', `file=${options.payload},format=raw,if=virtio,readonly=on`,
    '-serial', `file:${options.consoleLog}`, '-serial', 'stdio',
  ]; // prettier-ignore
  const words = { file: `${options.consoleLog}.qemu` };
  const limits = { cancelSignal: options.signal, killSignal: 'SIGKILL' } as const;
  const qemu = execa(QEMU, args, { stdin: 'ignore', stderr: words, buffer: false, reject: false, ...limits });
  for await (const line of qemu) options.onLine(line.replace(/\r$/, ''));
  const { failed, shortMessage } = await qemu;
  options.signal.throwIfAborted();
  if (failed) throw new Error(`${shortMessage ?? QEMU}: see ${words.file}`);
}
