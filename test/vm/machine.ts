/** One boot of the guest under qemu's software emulation: no kernel module, no device and no network of the host is used. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { GuestImage } from './guest-image.ts';

const QEMU = 'qemu-system-x86_64';

export interface BootOptions {
  readonly image: Pick<GuestImage, 'kernel' | 'initrd'>;
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
  const kernelLine = 'root=/dev/vda rw console=ttyS0 quiet mitigations=off panic=-1 systemd.show_status=no';
  const args = [
    '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1536', '-nodefaults', '-display', 'none', '-no-reboot',
    '-kernel', options.image.kernel, '-initrd', options.image.initrd, '-append', kernelLine,
    '-drive', `file=${options.disk},format=raw,if=virtio,cache=unsafe`,
    '-drive', `file=${options.payload},format=raw,if=virtio,readonly=on`,
    '-serial', `file:${options.consoleLog}`, '-serial', 'stdio',
  ]; // prettier-ignore
  const words = await open(`${options.consoleLog}.qemu`, 'w');
  const qemu = spawn(QEMU, args, { stdio: ['ignore', 'pipe', words.fd] });
  const lines = qemu.stdout;
  if (lines === null) throw new Error(`${QEMU}: no standard output`);
  const kill = (): void => {
    qemu.kill('SIGKILL');
  };
  options.signal.addEventListener('abort', kill);
  process.once('exit', kill);
  try {
    const ended = once(qemu, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    await readLines(lines, options.onLine);
    const [code, signal] = await ended;
    options.signal.throwIfAborted();
    if (code !== 0) throw new Error(`${QEMU} ended with ${code ?? signal ?? '?'}: see ${options.consoleLog}.qemu`);
  } finally {
    options.signal.removeEventListener('abort', kill);
    process.removeListener('exit', kill);
    await words.close();
  }
}

async function readLines(stream: AsyncIterable<unknown>, onLine: (line: string) => void): Promise<void> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = `${rest}${(chunk as Buffer).toString('utf8')}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.replace(/\r$/, ''));
  }
}
