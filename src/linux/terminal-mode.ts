import { bind, check } from './libc.ts';

const TCSADRAIN = 1;
/** glibc's struct termios has 60 bytes on all architectures; more is left as it is. */
const TERMIOS_BYTES = 256;

const tcgetattr = bind<(fd: number, attributes: Buffer) => number>('int tcgetattr(int fd, void *attributes)');
const tcsetattr = bind<(fd: number, when: number, attributes: Buffer) => number>('int tcsetattr(int fd, int when, const void *attributes)');
const cfmakeraw = bind<(attributes: Buffer) => void>('void cfmakeraw(void *attributes)');

/**
 * Has a terminal hand on every byte as it is, in both directions. (Node's own raw mode still makes CR LF of an LF, which another
 * terminal behind this one has done, where it wants it.)
 * @returns what makes it as it was; again is fine
 */
export function makeRaw(fd: number): () => void {
  const before = Buffer.alloc(TERMIOS_BYTES);
  check(tcgetattr(fd, before), 'tcgetattr');
  const raw = Buffer.from(before);
  cfmakeraw(raw);
  check(tcsetattr(fd, TCSADRAIN, raw), 'tcsetattr');
  return () => {
    tcsetattr(fd, TCSADRAIN, before);
  };
}
