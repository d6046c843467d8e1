/** RFC 9113, 3.4: every HTTP/2 client begins with this; no HTTP/1 request has the method PRI. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Whether a connection that begins with these bytes speaks HTTP/2; undefined where they are too few to tell. */
export function isHttp2(first: Buffer): boolean | undefined {
  const length = Math.min(first.length, PREFACE.length);
  if (!first.subarray(0, length).equals(PREFACE.subarray(0, length))) return false;
  return length === PREFACE.length ? true : undefined;
}
