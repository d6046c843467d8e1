import { AT_FDCWD, bind, bindSyscall, check } from './libc.ts';

export const MS_RDONLY = 0x1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;

const mountFunction = bind<(source: string, target: string, type: string | null, flags: number, data: string | null) => number>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
// glibc has a wrapper from 2.36 on only.
const moveMount = bindSyscall<(fromFd: number, from: string, toFd: number, to: string, flags: number) => number>(429, [
  'int',
  'const char *',
  'int',
  'const char *',
  'uint',
]);

/** What mount(2) takes besides source and target. */
export interface MountCall {
  readonly type?: string;
  readonly flags?: number;
  readonly data?: string;
}

/** mount(2). Blocks the calling thread. @throws its error. */
export function mount(source: string, target: string, call: MountCall): void {
  const result = mountFunction(source, target, call.type ?? null, call.flags ?? 0, call.data ?? null);
  check(result, `mount ${call.type ?? source}`, target);
}

/** Puts a detached mount (open_tree, fsmount) at `target`. @throws the system error. */
export function attachTree(fd: number, target: string): void {
  check(moveMount(fd, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), 'move_mount', target);
}
