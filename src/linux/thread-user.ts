import { bind, bindSyscall, check } from './libc.ts';

/** setresuid(2) by its number: glibc's function changes all threads, the system call the calling one alone. */
const setresuid = bindSyscall<(real: number, effective: number, saved: number) => number>(process.arch === 'arm64' ? 147 : 117, [
  'uint32_t',
  'uint32_t',
  'uint32_t',
]);
const abort = bind<() => void>('void abort()'); // process.abort() is refused on a thread
const UNCHANGED = 0xffff_ffff;

/**
 * Runs `work`, which must be synchronous, as another user, with no capability but on this thread alone. If the way back fails the
 * program aborts: it could do nothing any more.
 */
export function asUser<T>(uid: number, work: () => T): T {
  check(setresuid(UNCHANGED, uid, UNCHANGED), `setresuid ${uid}`);
  try {
    return work();
  } finally {
    if (setresuid(UNCHANGED, 0, UNCHANGED) === -1) abort();
  }
}
