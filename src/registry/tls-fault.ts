/** OpenSSL's own form of an error: `400D2D5BF07F0000:error:0A00010B:SSL routines:FUNCTION:REASON:FILE:LINE:`. */
const OPENSSL = /:error:[0-9A-F]{8}:[^:]*:[^:]*:([^:]+):/;

/** What OpenSSL says is wrong, without its own addresses and source files; undefined where it is no error of OpenSSL. */
export function tlsReason(error: unknown): string | undefined {
  return error instanceof Error ? OPENSSL.exec(error.message)?.[1]?.trim() : undefined;
}

/** Whether the other side answered without TLS, in text such as `HTTP/1.1 400`. */
export function isPlainHttp(error: unknown): boolean {
  const reason = tlsReason(error);
  return reason === 'wrong version number' || reason === 'packet length too long' || reason === 'http request';
}
