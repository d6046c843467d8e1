import { reasonOf } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { showUrl, unavailable } from './transport.ts';
import type { HttpResponse } from './transport.ts';

/** The whole of an answer. @throws InvalidArgument where it is longer than the limit, RegistryUnavailable where it breaks, the signal's reason. */
export async function readAll(response: HttpResponse, limitBytes: number, signal: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of piecesOf(response, signal)) {
    sizeBytes += piece.length;
    if (sizeBytes > limitBytes)
      throw new DaemonError('InvalidArgument', `GET ${showUrl(response.url)}: more than ${limitBytes} bytes, must be fewer`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** An answer as it comes. @throws RegistryUnavailable where it breaks, the signal's reason. */
export async function* piecesOf(response: HttpResponse, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const piece of response.body) yield piece as Uint8Array;
  } catch (error) {
    if (signal.aborted) throw reasonOf(signal);
    throw unavailable(`GET ${showUrl(response.url)}`, error);
  } finally {
    response.body.destroy();
  }
}
