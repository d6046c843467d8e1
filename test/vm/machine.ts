/** One boot of the guest under qemu's software emulation: no kernel module, no device and no network of the host is used. */
import { execa } from 'execa';
import type { GuestImage, MachineKind } from './guest-image.ts';

/** How each is emulated; `results` is the port on which the test tells its results. */
const MACHINES = {
  'x86-64': {
    qemu: 'qemu-system-x86_64',
    args: ['-cpu', 'max'],
    // A host that has other work gives no timer interrupt in time for the kernel's own check of it, which ends in a panic.
    kernelLine: 'console=ttyS0 mitigations=off no_timer_check',
    results: ['-serial', 'stdio'],
  },
  arm64: {
    qemu: 'qemu-system-aarch64',
    // Signed return addresses by an algorithm that takes the emulator less time than the processor's own.
    args: ['-machine', 'virt', '-cpu', 'max,pauth-impdef=on'],
    kernelLine: 'console=ttyAMA0 mitigations=off',
    // The board has one serial port.
    results: [
      ...['-device', 'virtio-serial-pci', '-chardev', 'stdio,id=results,signal=off'],
      ...['-device', 'virtserialport,chardev=results,name=results'],
    ],
  },
} as const;

export interface BootOptions {
  readonly image: Pick<GuestImage, 'kernel' | 'initrd'>;
  readonly kind: MachineKind;
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
  const { qemu: program, args: board, kernelLine: own, results } = MACHINES[options.kind === 'arm64' ? 'arm64' : 'x86-64'];
  const selinux = options.kind === 'selinux' ? ' security=selinux selinux=1' : '';
  const kernelLine = `root=/dev/vda rw ${own} quiet panic=-1 systemd.show_status=no${selinux}`;
  const args = [
    '-accel', 'tcg,thread=multi', ...board, '-smp', '2', '-m', '1536', '-nodefaults', '-display', 'none', '-no-reboot',
    '-kernel', options.image.kernel, '-initrd', options.image.initrd, '-append', kernelLine,
    '-drive', `file=${options.disk},format=raw,if=virtio,cache=unsafe`,
    '-drive', `file=${options.payload},format=raw,if=virtio,readonly=on`,
    '-serial', `file:${options.consoleLog}`, ...results,
  ]; // prettier-ignore
  const words = { file: `${options.consoleLog}.qemu` };
  const limits = { cancelSignal: options.signal, killSignal: 'SIGKILL' } as const;
  // Open to the end: a port whose host's side has ended lets the guest wait at its first line.
  const qemu = execa(program, args, { stdin: 'pipe', stderr: words, buffer: false, reject: false, ...limits });
  for await (const line of qemu) options.onLine(line.replace(/\r$/, ''));
  const { failed, shortMessage } = await qemu;
  options.signal.throwIfAborted();
  if (failed) throw new Error(`${shortMessage ?? program}: see ${words.file}`);
}
