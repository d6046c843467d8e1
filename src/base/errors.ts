/**
 * The daemon's closed set of failures. Adapters translate what they meet (errno, exit code, HTTP status) into a kind at
 * their door; server/status.ts alone maps kinds to gRPC codes.
 */
export type ErrorKind =
  | 'Canceled'
  | 'InvalidArgument'
  | 'DeadlineExceeded'
  | 'NotFound'
  | 'AlreadyExists'
  | 'PermissionDenied'
  | 'ResourceExhausted'
  | 'FailedPrecondition'
  | 'OutOfRange'
  | 'Unimplemented'
  | 'Internal'
  | 'Unavailable'
  | 'RegistryUnavailable'
  | 'SignatureValidationFailed';

/** A failure with a kind. The message says what was being done, what is, and what must be. */
export class DaemonError extends Error {
  override readonly name = 'DaemonError';
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** Throws; for use as `value ?? fail(...)`. */
export function fail(kind: ErrorKind, message: string): never {
  throw new DaemonError(kind, message);
}

/** The sentence of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The codes with which the kernel says that something has run out: room, descriptors, memory. errno(3). */
const EXHAUSTED: readonly string[] = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'];

/**
 * The kind of any thrown value: of an error that is none of ours, Internal, ResourceExhausted where the node ran out of
 * something, or FailedPrecondition where a file system is read-only.
 */
export function kindOf(error: unknown): ErrorKind {
  const kind = error instanceof DaemonError ? error.kind : 'Internal';
  if (kind !== 'Internal') return kind;
  if (isCausedBy(error, EXHAUSTED)) return 'ResourceExhausted';
  return isCausedBy(error, ['EROFS']) ? 'FailedPrecondition' : 'Internal';
}

function isCausedBy(error: unknown, codes: readonly string[]): boolean {
  if (hasErrno(error, ...codes)) return true;
  return error instanceof Error && error.cause !== undefined && isCausedBy(error.cause, codes);
}

/** A bare system error with what was being done in front. Any other value stays as it is: it has words of its own. */
export function withWords(what: string, error: unknown): unknown {
  if (error instanceof DaemonError || !isSystemError(error)) return error;
  const { code, syscall = 'write', path = 'a file' } = error;
  const why = code === 'EROFS' ? `${syscall} ${path}: it is on a read-only file system, must be writable` : error.message;
  return new DaemonError(kindOf(error), `${what}: ${why}`, { cause: error });
}

/** Whether a thrown value is a system error, with any code: what the kernel refused, and no fault of the program. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && /^E[A-Z0-9]+$/.test((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether a thrown value is a system error with this code, e.g. `ENOENT`. */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && codes.includes(code);
}

/** Resolves to `otherwise` where the work fails with ENOENT; every other failure goes on. */
export async function unlessMissing<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return otherwise;
    throw error;
  }
}

/** Runs a clean-up that a read-only file system may leave undone. This is no reason for a start to fail: the next one does it. */
export async function unlessReadOnly(cleanUp: Promise<unknown>): Promise<void> {
  try {
    await cleanUp;
  } catch (error) {
    if (!hasErrno(error, 'EROFS')) throw error;
  }
}
