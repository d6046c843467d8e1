import type { Duplex } from 'node:stream';
import { messages } from '../../../api/ttrpc/messages.ts';
import { withTimeout } from '../../base/deadline.ts';
import { messageOf } from '../../base/errors.ts';
import { Channel } from './channel.ts';
import { Code, TtrpcClosedError, TtrpcError, TtrpcOversizedError, TtrpcProtocolError, TtrpcTimeoutError } from './errors.ts';
import { MAX_MESSAGE_BYTES, MessageType } from './frame.ts';
import type { Frame } from './frame.ts';

/**
 * Most calls that the peer has and has not answered; more wait here. NRI's multiplexer on the other side closes the connection over 256
 * pieces that it has not read, and a call has two at most (nri: pkg/net/multiplex/mux.go).
 */
const MAX_CALLS_SENT = 100;
/** Most bytes of such calls, but always one call. */
const MAX_BYTES_SENT = 16 * 1024 * 1024;
/** Most bytes of calls that wait; over it a call is refused. A peer that does not read shall not fill our memory. */
const MAX_BYTES_WAITING = 64 * 1024 * 1024;
/** What a call takes beside its bytes. */
const CALL_BYTES = 1024;
const MAX_STREAM_ID = 2 ** 32 - 1;

export interface CallOptions {
  /** How long to wait for the answer, milliseconds. The peer is told. */
  readonly timeoutMs: number;
  /** Ends the waiting; the peer is not told. */
  readonly signal?: AbortSignal | undefined;
}

/** A call from `call()` until its promise settles, or until its answer where that is later. */
interface Call {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
  readonly bytes: number;
  readonly deadline: number;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The calling side of a ttrpc connection. Any number of calls may run at once; the answers come in any order. */
export class TtrpcClient {
  readonly #channel: Channel;
  /** By stream; also those whose callers have given up: the peer has them still. */
  readonly #sent = new Map<number, Call>();
  #bytesSent = 0;
  readonly #waiting = new Set<Call>();
  #bytesWaiting = 0;
  #nextStreamId = 1;

  constructor(stream: Duplex) {
    this.#channel = new Channel(stream, {
      frame: (frame) => {
        this.#receive(frame);
      },
      oversized: ({ streamId }, error) => {
        this.#settle(streamId, ({ reject }) => {
          reject(error);
        });
      },
      ended: (reason) => {
        this.#end(reason);
      },
    });
  }

  /** Resolves when the connection has ended, by whomever; {@link reason} then says why. */
  get closed(): Promise<void> {
    return this.#channel.closed;
  }

  /** Why the connection has ended; undefined while it has not. */
  get reason(): Error | undefined {
    return this.#channel.reason;
  }

  /**
   * Calls `service/method`; `payload` and what comes back are the encoded messages.
   * @throws {TtrpcError} what the peer says; with the code ResourceExhausted also where too many calls wait for a peer that does not answer.
   * @throws {TtrpcTimeoutError} no answer within `timeoutMs`.
   * @throws {TtrpcOversizedError} the request is too long and was not sent, or the answer was.
   * @throws {TtrpcClosedError | TtrpcProtocolError} the connection has ended.
   * @throws the signal's reason.
   */
  async call(service: string, method: string, payload: Uint8Array, { timeoutMs, signal }: CallOptions): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (this.reason !== undefined) throw this.reason;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const deadline = performance.now() + timeoutMs;
    const call: Call = {
      service,
      method,
      payload,
      bytes: payload.length + service.length + method.length + CALL_BYTES,
      deadline,
      resolve,
      reject,
    };
    if (call.bytes > MAX_MESSAGE_BYTES) checkSize(encode(call)); // it may be: that is known before it waits
    if (this.#waiting.size === 0 && this.#hasRoom(call.bytes)) this.#send(call);
    else this.#wait(call);

    const timeout = withTimeout(signal, timeoutMs, `${service}/${method}`);
    const giveUp = (): void => {
      if (this.#waiting.delete(call)) this.#bytesWaiting -= call.bytes;
      reject(
        signal?.aborted === true ? signal.reason : new TtrpcTimeoutError(`${service}/${method}: no answer after ${timeoutMs / 1000} s`),
      );
    };
    timeout.signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await promise;
    } finally {
      timeout.clear();
    }
  }

  /** Ends the connection; what runs fails with a TtrpcClosedError. */
  close(): void {
    this.#channel.close(new TtrpcClosedError('the connection was closed by this side'));
  }

  #hasRoom(bytes: number): boolean {
    return this.#sent.size === 0 || (this.#sent.size < MAX_CALLS_SENT && this.#bytesSent + bytes <= MAX_BYTES_SENT);
  }

  #wait(call: Call): void {
    if (this.#bytesWaiting + call.bytes > MAX_BYTES_WAITING) {
      const { service, method } = call;
      throw new TtrpcError(Code.ResourceExhausted, `${service}/${method}: ${this.#waiting.size} calls wait for the peer to answer others`);
    }
    this.#waiting.add(call);
    this.#bytesWaiting += call.bytes;
  }

  #send(call: Call): void {
    const streamId = this.#nextStreamId;
    if (streamId > MAX_STREAM_ID) {
      const reason = new TtrpcClosedError('the connection has used up its streams');
      this.#channel.close(reason);
      call.reject(reason);
      return;
    }
    this.#nextStreamId += 2;
    this.#sent.set(streamId, call);
    this.#bytesSent += call.bytes;
    this.#channel.send({ streamId, type: MessageType.Request, payload: encode(call) });
  }

  #receive({ streamId, type, payload }: Frame): void {
    if (type !== MessageType.Response && type !== MessageType.Data) return; // of a later version: to be ignored, as upstream does
    this.#settle(streamId, ({ service, method, resolve, reject }) => {
      if (type === MessageType.Data) {
        reject(new TtrpcProtocolError(`${service}/${method}: a piece of a stream came, where one answer was asked for`));
        return;
      }
      try {
        const response = messages.Response.decode(payload);
        const { code, message } = response.status ?? { code: 0, message: '' };
        if (code === 0) resolve(response.payload);
        else reject(new TtrpcError(code, message));
      } catch (error) {
        reject(new TtrpcProtocolError(`${service}/${method}: the answer is not one of ttrpc: ${messageOf(error)}`, { cause: error }));
      }
    });
  }

  /** Takes the call of a stream out and lets those that wait begin. What is not known was answered before, as upstream says it. */
  #settle(streamId: number, how: (call: Call) => void): void {
    const call = this.#sent.get(streamId);
    if (call === undefined) return;
    this.#sent.delete(streamId);
    this.#bytesSent -= call.bytes;
    how(call);
    for (const next of this.#waiting) {
      if (!this.#hasRoom(next.bytes)) return;
      this.#waiting.delete(next);
      this.#bytesWaiting -= next.bytes;
      this.#send(next);
    }
  }

  #end(reason: Error): void {
    const calls = [...this.#sent.values(), ...this.#waiting];
    this.#sent.clear();
    this.#waiting.clear();
    this.#bytesSent = 0;
    this.#bytesWaiting = 0;
    for (const { reject } of calls) reject(reason);
  }
}

function checkSize({ length }: Uint8Array): void {
  if (length > MAX_MESSAGE_BYTES) throw new TtrpcOversizedError(length, MAX_MESSAGE_BYTES);
}

function encode({ service, method, payload, deadline }: Call): Uint8Array {
  // Zero would be no deadline at all.
  const leftMs = Math.max(1, Math.round(deadline - performance.now()));
  return messages.Request.encode({ service, method, payload, timeoutNano: BigInt(leftMs) * 1_000_000n });
}
