/** The codes of gRPC that a status of ttrpc has and that this side gives or tells apart (grpc: doc/statuscodes.md). */
export const Code = {
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
} as const;

/** A call was answered with a status, in the answerer's words. A handler of the server throws it to give a code. */
export class TtrpcError extends Error {
  override readonly name = 'TtrpcError';
  /** One of {@link Code}, or any other number that the peer gave. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The connection has ended before the answer, or was closed before the call. */
export class TtrpcClosedError extends Error {
  override readonly name = 'TtrpcClosedError';
}

/** No answer has come within the call's time. The peer is not told: ttrpc has no word for it but the deadline in the request. */
export class TtrpcTimeoutError extends Error {
  override readonly name = 'TtrpcTimeoutError';
}

/** The peer has sent what is not the protocol. The connection is closed by it. */
export class TtrpcProtocolError extends Error {
  override readonly name = 'TtrpcProtocolError';
}

/** A message that is too long to send, or that the peer sent and that was skipped. The connection goes on. */
export class TtrpcOversizedError extends Error {
  override readonly name = 'TtrpcOversizedError';
  /** Bytes that it has with its envelope, and the most that there may be. */
  readonly rejected: number;
  readonly maximum: number;

  constructor(rejected: number, maximum: number) {
    super(oversizedMessage(rejected, maximum));
    this.rejected = rejected;
    this.maximum = maximum;
  }
}

/** Upstream's words (ttrpc: channel.go, errors.go): plugins look for them. */
function oversizedMessage(rejected: number, maximum: number): string {
  return `message length ${rejected} exceed maximum message size of ${maximum}`;
}
