import { status } from '@grpc/grpc-js';
import { kindOf, messageOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const CODES = {
  Canceled: status.CANCELLED,
  InvalidArgument: status.INVALID_ARGUMENT,
  DeadlineExceeded: status.DEADLINE_EXCEEDED,
  NotFound: status.NOT_FOUND,
  AlreadyExists: status.ALREADY_EXISTS,
  PermissionDenied: status.PERMISSION_DENIED,
  ResourceExhausted: status.RESOURCE_EXHAUSTED,
  FailedPrecondition: status.FAILED_PRECONDITION,
  OutOfRange: status.OUT_OF_RANGE,
  Unimplemented: status.UNIMPLEMENTED,
  Internal: status.INTERNAL,
  Unavailable: status.UNAVAILABLE,
  // The kubelet knows these two by the start of the message, and only under Unknown
  // (kubernetes pkg/kubelet/images/image_manager.go evalCRIPullErr, cri-api pkg/errors).
  RegistryUnavailable: status.UNKNOWN,
  SignatureValidationFailed: status.UNKNOWN,
} as const satisfies Record<ErrorKind, status>; // a new kind without a code does not compile

/** Kinds that the kubelet recognises by the first word of the message. */
const KNOWN_BY_PREFIX: readonly ErrorKind[] = ['RegistryUnavailable', 'SignatureValidationFailed'];

/**
 * Most characters of a message that go out. They travel percent-encoded in the trailers, up to nine bytes each, and
 * clients take a header list of 64 KiB (Node's default; Go's is larger).
 */
const DETAILS_LIMIT = 4096;
/** How many of these are the end of a longer message: the cause of a failed command is in its last line. */
const DETAILS_TAIL = 1024;

export interface CallStatus {
  readonly code: status;
  /** The sentence the caller sees. */
  readonly details: string;
}

/** Every error's way out: its kind's code and its message, never its stack. An error that is none of ours is INTERNAL. */
export function toStatus(error: unknown): CallStatus {
  const kind = kindOf(error);
  const message = messageOf(error).toWellFormed(); // grpc-js cannot send half of a surrogate pair
  const details = KNOWN_BY_PREFIX.includes(kind) && !message.startsWith(kind) ? `${kind}: ${message}` : message;
  return { code: CODES[kind], details: shorten(details) };
}

/** The code's name, `NOT_FOUND`: in log lines and as the label of metrics. */
export function codeName(code: status): string {
  return status[code];
}

function shorten(text: string): string {
  if (text.length <= DETAILS_LIMIT) return text;
  const tail = text.slice(-DETAILS_TAIL);
  const head = text.slice(0, DETAILS_LIMIT - DETAILS_TAIL);
  return `${head} [${text.length - DETAILS_LIMIT} characters left out] ${tail}`.toWellFormed();
}
