import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import koffi from 'koffi';
import type { TerminalSize } from '../../../src/streaming/backend.ts';

const libc = koffi.load('libc.so.6');
const posixOpenpt = libc.func('int posix_openpt(int flags)');
const grantpt = libc.func('int grantpt(int fd)');
const unlockpt = libc.func('int unlockpt(int fd)');
const ptsname = libc.func('str ptsname(int fd)');
const ioctl = libc.func('int ioctl(int fd, ulong request, void *argument)');
const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const TIOCSWINSZ = 0x5414;

/** A command on a terminal of its own. */
export interface TerminalCommand {
  readonly child: ChildProcess;
  /** Both directions of the terminal; destroying it hangs the command up. */
  readonly master: ReadStream;
  resize(width: number, height: number): void;
}

/** The command finds the terminal with its first size, where there is one. */
export function spawnOnTerminal(command: readonly string[], size?: TerminalSize): TerminalCommand {
  const fd = posixOpenpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) as number;
  grantpt(fd);
  unlockpt(fd);
  const resize = (width: number, height: number): void => {
    ioctl(fd, TIOCSWINSZ, new Uint16Array([height, width, 0, 0]));
  };
  if (size !== undefined) resize(size.width, size.height);
  const slave = openSync(ptsname(fd) as string, O_RDWR | O_NOCTTY);
  // setsid -c makes the terminal the controlling one, so that SIGWINCH and SIGHUP reach the command.
  const child = spawn('setsid', ['-c', '-w', ...command], { stdio: [slave, slave, slave] });
  closeSync(slave);
  return { child, master: new ReadStream(fd), resize };
}
