import type { Duplex } from 'node:stream';
import { messages } from '../../../api/ttrpc/messages.ts';
import type { Request } from '../../../api/ttrpc/messages.ts';
import { messageOf } from '../../base/errors.ts';
import { Channel } from './channel.ts';
import { Code, TtrpcClosedError, TtrpcError, TtrpcOversizedError } from './errors.ts';
import { MAX_MESSAGE_BYTES, MessageType } from './frame.ts';
import type { Frame } from './frame.ts';

/** Most calls that run at once, each until the peer's side of the system has its answer; more wait. */
const MAX_CALLS_RUNNING = 100;
/** Most bytes of calls that run or wait; over it a call is refused, but the only one never is. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What a call takes beside its bytes. */
const CALL_BYTES = 1024;
/** Most characters of why a call failed: they must fit into a message. */
const MAX_WORDS = 64 * 1024;
/** The longest time that Node's timers take. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Answers a call: encoded messages in and out. `signal` aborts at the caller's deadline, and when the connection ends. What it throws is
 * the caller's answer: a {@link TtrpcError} with its code, anything else as Unknown.
 */
export type Handler = (payload: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

/** By service (`nri.pkg.api.v1alpha1.Runtime`) and method (`RegisterPlugin`). */
export type Services = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

/** The answering side of a ttrpc connection. */
export interface TtrpcServer {
  /** Resolves when the connection has ended, by whomever; `reason` then says why. */
  readonly closed: Promise<void>;
  readonly reason: Error | undefined;
  /** Ends the connection; handlers that run are aborted, and their answers dropped. */
  close(): void;
}

/** Answers the calls that come over `stream`, a hundred at once, until it ends. */
export function serve(stream: Duplex, services: Services): TtrpcServer {
  return new Connection(stream, services);
}

/** A call from its request until its answer is written. */
interface Call {
  readonly streamId: number;
  readonly payload: Uint8Array;
  readonly handler: Handler;
  readonly bytes: number;
  readonly controller: AbortController;
  readonly timer: NodeJS.Timeout | undefined;
}

class Connection implements TtrpcServer {
  readonly #services: Services;
  readonly #channel: Channel;
  /** Those that are not answered, by stream. */
  readonly #calls = new Map<number, Call>();
  readonly #waiting = new Set<Call>();
  #running = 0;
  #bytes = 0;
  #lastStreamId = 0;

  constructor(stream: Duplex, services: Services) {
    this.#services = services;
    this.#channel = new Channel(stream, {
      frame: (frame) => {
        this.#receive(frame);
      },
      oversized: ({ streamId }, error) => {
        this.#refuse(streamId, Code.ResourceExhausted, error.message);
      },
      ended: (reason) => {
        for (const call of this.#calls.values()) this.#abort(call, reason);
      },
    });
  }

  get closed(): Promise<void> {
    return this.#channel.closed;
  }

  get reason(): Error | undefined {
    return this.#channel.reason;
  }

  close(): void {
    this.#channel.close(new TtrpcClosedError('the connection was closed by this side'));
  }

  /** Refuses in upstream's words (ttrpc: server.go), the peers' logs are searched for them. */
  #receive({ streamId, type, payload }: Frame): void {
    if (streamId % 2 !== 1) {
      this.#refuse(streamId, Code.InvalidArgument, 'StreamID must be odd for client initiated streams');
    } else if (type === MessageType.Data) {
      // No call of ours is a stream. One that runs is at its end with this.
      const call = this.#calls.get(streamId);
      if (call !== undefined) this.#abort(call, new TtrpcError(Code.InvalidArgument, 'the caller has sent a piece of a stream'));
      this.#refuse(streamId, Code.InvalidArgument, 'StreamID is no longer active');
    } else if (type === MessageType.Request) {
      if (streamId <= this.#lastStreamId) {
        this.#refuse(streamId, Code.InvalidArgument, 'StreamID cannot be re-used and must increment');
        return;
      }
      this.#lastStreamId = streamId;
      this.#request(streamId, payload);
    }
    // Other types are of a later version: to be ignored, as upstream does.
  }

  #request(streamId: number, payload: Uint8Array): void {
    let request: Request;
    try {
      request = messages.Request.decode(payload);
    } catch (error) {
      this.#refuse(streamId, Code.InvalidArgument, `unmarshal request error: ${messageOf(error)}`);
      return;
    }
    const { service, method } = request;
    const methods = Object.hasOwn(this.#services, service) ? this.#services[service] : undefined;
    const handler = methods !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
    const bytes = request.payload.length + CALL_BYTES;
    if (methods === undefined) this.#refuse(streamId, Code.Unimplemented, `service ${service}`);
    else if (handler === undefined) this.#refuse(streamId, Code.Unimplemented, `method ${method}`);
    else if (this.#bytes > 0 && this.#bytes + bytes > MAX_BYTES) {
      this.#refuse(
        streamId,
        Code.ResourceExhausted,
        `${service}/${method}: ${this.#calls.size} calls of this connection are not answered yet`,
      );
    } else this.#accept(streamId, request, handler, bytes);
  }

  #accept(streamId: number, { payload, timeoutNano }: Request, handler: Handler, bytes: number): void {
    const controller = new AbortController();
    // A time that is over already is one as well, and has a negative number.
    const timer = timeoutNano === 0n ? undefined : setTimeout(expire, deadlineMs(timeoutNano), controller);
    const call: Call = { streamId, payload, handler, bytes, controller, timer };
    this.#calls.set(streamId, call);
    this.#bytes += bytes;
    this.#waiting.add(call);
    this.#runWaiting();
  }

  #runWaiting(): void {
    for (const call of this.#waiting) {
      if (this.#running === MAX_CALLS_RUNNING) return;
      this.#waiting.delete(call);
      this.#running += 1;
      void this.#run(call);
    }
  }

  async #run(call: Call): Promise<void> {
    const answer = await answerOf(call);
    const done = (): void => {
      this.#running -= 1;
      this.#bytes -= call.bytes;
      this.#runWaiting();
    };
    if (this.#calls.get(call.streamId) === call) {
      this.#forget(call);
      this.#answer(call.streamId, answer, done);
    } else done();
  }

  /** The call will have no answer. */
  #abort(call: Call, reason: Error): void {
    this.#forget(call);
    if (this.#waiting.delete(call)) this.#bytes -= call.bytes;
    call.controller.abort(reason);
  }

  #forget({ streamId, timer }: Call): void {
    this.#calls.delete(streamId);
    clearTimeout(timer);
  }

  #refuse(streamId: number, code: number, message: string): void {
    this.#answer(streamId, refusal(code, message));
  }

  /** While the peer does not read what it is told, it is not heard either: neither side's memory grows. */
  #answer(streamId: number, payload: Uint8Array, written?: () => void): void {
    if (!this.#channel.send({ streamId, type: MessageType.Response, payload }, written)) this.#channel.pauseUntilDrained();
  }
}

/** Never rejects. */
async function answerOf({ handler, payload, controller }: Call): Promise<Uint8Array> {
  try {
    const answer = messages.Response.encode({ payload: await handler(payload, controller.signal) });
    if (answer.length > MAX_MESSAGE_BYTES) throw new TtrpcOversizedError(answer.length, MAX_MESSAGE_BYTES);
    return answer;
  } catch (error) {
    const code = error instanceof TtrpcError ? error.code : error instanceof TtrpcOversizedError ? Code.ResourceExhausted : Code.Unknown;
    return refusal(code, messageOf(error));
  }
}

function refusal(code: number, message: string): Uint8Array {
  return messages.Response.encode({ status: { code, message: message.slice(0, MAX_WORDS) } });
}

function expire(controller: AbortController): void {
  controller.abort(new TtrpcError(Code.DeadlineExceeded, "the caller's time is over"));
}

function deadlineMs(timeoutNano: bigint): number {
  return Math.min(Math.max(Number(timeoutNano / 1_000_000n), 0), LONGEST_TIMER_MS);
}
