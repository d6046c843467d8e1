import { Socket } from 'node:net';
import { close, duplicateFrom, O_RDWR, open, pipe } from './libc.ts';
import { socketPair } from './socket-calls.ts';
import type { ExitStatus } from './children.ts';

/**
 * One descriptor of a child:
 *
 * - `ignore`: /dev/null for 0 to 2, and no descriptor above.
 * - `pipe`: a pipe. We write to it where it is the child's 0, and read from it elsewhere.
 * - `input`: a pipe that we write to, whatever the descriptor.
 * - `socket`: one end of a pair of stream sockets; ours reads and writes.
 * - a number: this descriptor of ours.
 */
export type Stdio = 'ignore' | 'pipe' | 'input' | 'socket' | number;

export interface SpawnOptions {
  /** The arguments after the program's own name. */
  readonly args: readonly string[];
  /** The whole environment; ours where it is left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Index = the child's descriptor. Left out: all three ignored. The child gets no descriptor beyond these. */
  readonly stdio?: readonly Stdio[];
  /** Makes the child leader of a session and process group of its own: setsid(2). */
  readonly newSession?: boolean;
}

export interface Child {
  readonly pid: number;
  /** Never rejects for a child of ours; no need to await it, the child is reaped anyway. */
  readonly exit: Promise<ExitStatus>;
  /** Our ends of the pipes and sockets, by the child's descriptor. A failed read or write shows as 'close'. */
  readonly pipes: readonly (Socket | undefined)[];
}

/** dup2 in the child must not overwrite a descriptor that is still to be passed: ours are moved above all targets. */
const LEAST_PASSED_FD = 64;

interface OurEnd {
  readonly fd: number;
  readonly weRead: boolean;
  readonly weWrite: boolean;
}

/** The descriptors of a child about to be made: `childFds` to hand over (undefined = none), and our pipe ends. */
export class PreparedStdio {
  readonly childFds: (number | undefined)[] = [];
  readonly #ours: (OurEnd | undefined)[] = [];

  constructor(stdio: readonly Stdio[]) {
    const least = Math.max(LEAST_PASSED_FD, stdio.length);
    try {
      // 0 to 2 always exist, or the child's first open() would become its stderr.
      for (let fd = 0; fd < Math.max(3, stdio.length); fd += 1) this.#prepare(fd, stdio[fd] ?? 'ignore', least);
    } catch (error) {
      this.closeOurs();
      this.closeChilds();
      throw error;
    }
  }

  /** Closes our copies of what the child has got. */
  closeChilds(): void {
    for (const fd of this.childFds) if (fd !== undefined) close(fd);
  }

  /** Closes our pipe ends, when there is no child to talk to. */
  closeOurs(): void {
    for (const end of this.#ours) if (end !== undefined) close(end.fd);
  }

  /** Our pipe ends as sockets. */
  open(): (Socket | undefined)[] {
    return this.#ours.map((end) => {
      if (end === undefined) return undefined;
      const socket = new Socket({ fd: end.fd, readable: end.weRead, writable: end.weWrite });
      // A child that closes its stdin early (EPIPE) must not end the daemon as an unhandled 'error'.
      socket.on('error', () => undefined);
      return socket;
    });
  }

  #prepare(fd: number, what: Stdio, least: number): void {
    if (what === 'ignore') {
      this.childFds.push(fd < 3 ? this.#passed(open('/dev/null', O_RDWR), least) : undefined);
      this.#ours.push(undefined);
    } else if (typeof what === 'number') {
      this.childFds.push(duplicateFrom(what, least));
      this.#ours.push(undefined);
    } else if (what === 'socket') {
      const { one, other } = socketPair();
      this.#ours.push({ fd: one, weRead: true, weWrite: true });
      this.childFds.push(this.#passed(other, least));
    } else {
      // A pipe and no socket pair, as child_process makes: that cannot be reopened, and a script's `>/dev/stderr` fails with ENXIO.
      const { readEnd, writeEnd } = pipe();
      const weWrite = what === 'input' || fd === 0;
      this.#ours.push({ fd: weWrite ? writeEnd : readEnd, weRead: !weWrite, weWrite });
      this.childFds.push(this.#passed(weWrite ? readEnd : writeEnd, least));
    }
  }

  #passed(fd: number, least: number): number {
    try {
      return duplicateFrom(fd, least);
    } finally {
      close(fd);
    }
  }
}
