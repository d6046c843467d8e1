import type { Socket } from 'node:net';
import { bind } from './libc.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid. unix(7). */
const UCRED_BYTES = 12;

const getsockopt = bind<(fd: number, level: number, option: number, value: Buffer, length: Buffer) => number>(
  'int getsockopt(int fd, int level, int option, void *value, void *length)',
);

/** The process that has connected a unix socket, or made its pair; undefined where the kernel does not tell. */
export function peerPid(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd ?? -1;
  const value = Buffer.alloc(UCRED_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_BYTES);
  if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0) return undefined;
  const pid = value.readInt32LE(0);
  return pid > 0 ? pid : undefined; // 0: it is in another PID namespace, which ours does not see
}
