import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import type { Init, Method } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { reasonOf, waitFor } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { encodeKept } from '../base/kept-messages.ts';
import { inRequest, requestBegan, requestEnded, type RequestContext } from '../base/steps.ts';
import { timed } from '../base/timed.ts';
import type { Log, LogFields } from '../base/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { LISTS, Pieces } from './pieces.ts';
import { checkStrings } from './request-strings.ts';
import { codeName, toStatus } from './status.ts';
import type { CallStatus } from './status.ts';
import { subjectOf } from './subject.ts';

/** Largest request and answer, bytes: what the kubelet's client takes (cri-client/pkg/utils.go maxMsgSize). */
export const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * A client whose deadline passes resets the stream itself, a moment before the server's timer fires. A reset within so many
 * milliseconds of the deadline counts as the deadline.
 */
const DEADLINE_SLACK_MS = 50;

/** Longer than any version of a `traceparent` may be, characters. */
const MOST_TRACEPARENT = 256;

/** The kubelet asks these all the time; they are logged only when they fail or take longer than {@link SLOW_MS}. */
const QUIET = /^(Version|Status|RuntimeConfig|ContainerStatus|PodSandboxStatus|ImageStatus|ImageFsInfo|List\w+|Stream\w+|\w+Stats)$/;
const SLOW_MS = 1000;

/** Codes that a client brings about itself. Any other is a fault of the node, and is logged as a warning. */
const EXPECTED: readonly status[] = [
  status.CANCELLED,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
];

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;
type UnaryHandler<Request, Response> = (request: Request, call: Call) => Promise<Init<Response>>;
type StreamHandler<Request, Response> = (request: Request, call: Call) => AsyncIterable<Init<Response>> | Iterable<Init<Response>>;

/**
 * Whether a call ended before its handler was called. grpc-js 1.14 emits `cancelled` only on the object that it makes for the
 * handler. An end that comes before that is not emitted at all, and only a private field tells it.
 */
function isOver(grpcCall: AnyCall): boolean {
  const { call } = grpcCall as unknown as { readonly call?: { readonly cancelled?: boolean } };
  return call?.cancelled === true || Date.now() >= Number(grpcCall.getDeadline());
}

/** One call under way: what its handler sees, and the lines and numbers it leaves. */
class OpenCall implements Call {
  readonly requestId = randomBytes(4).toString('hex');
  readonly rpc: string;
  readonly isStream: boolean;
  readonly hasDeadline: boolean;
  /** What the steps of its work tell of it. */
  readonly context: RequestContext;
  readonly #controller = new AbortController();
  readonly #startedAt = performance.now();
  readonly #baseLog: Log;
  readonly #metrics: Metrics;
  readonly #unfollow: () => void;
  #subject: LogFields = {};
  #log: Log | undefined;

  constructor(rpc: string, grpcCall: AnyCall, isStream: boolean, { log, metrics }: { log: Log; metrics: Metrics }) {
    this.rpc = rpc;
    this.isStream = isStream;
    this.hasDeadline = Number.isFinite(Number(grpcCall.getDeadline()));
    this.#baseLog = log;
    this.#metrics = metrics;
    const [traceparent] = grpcCall.metadata.get('traceparent');
    const isOne = typeof traceparent === 'string' && traceparent.length <= MOST_TRACEPARENT;
    this.context = requestBegan({ requestId: this.requestId, rpc, ...(isOne ? { traceparent } : {}) });
    metrics.add('rpcInFlight', { rpc }, 1);
    const cancelled = (): void => {
      const deadline = Number(grpcCall.getDeadline());
      const isDeadline = Date.now() >= deadline - DEADLINE_SLACK_MS;
      this.abort(
        isDeadline
          ? new DaemonError('DeadlineExceeded', `${rpc}: the caller's deadline has passed`)
          : new DaemonError('Canceled', `${rpc}: the caller gave up`),
      );
    };
    grpcCall.on('cancelled', cancelled);
    this.#unfollow = () => grpcCall.off('cancelled', cancelled);
    if (grpcCall.cancelled || isOver(grpcCall)) cancelled();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get log(): Log {
    this.#log ??= this.#baseLog.with({ rpc: this.rpc, requestId: this.requestId, ...this.context.trace, ...this.#subject });
    return this.#log;
  }

  abort(reason: DaemonError): void {
    this.#controller.abort(reason);
  }

  /** The request is read and its handler is about to run. @throws where the caller has its answer already. */
  begin(request: unknown): void {
    this.#subject = subjectOf(request);
    if (this.signal.aborted) throw reasonOf(this.signal);
    if (!QUIET.test(this.rpc)) this.log.debug('call started');
  }

  /** The call has its answer. grpc-js emits `cancelled` after a good end too, so following stops here. */
  end(): void {
    // The caller has seen its deadline or its cancel, not this answer.
    if (this.signal.aborted) this.fail(this.signal.reason);
    else this.#finish(codeName(status.OK), undefined);
  }

  fail(error: unknown): CallStatus {
    const answer = toStatus(error);
    const code = codeName(answer.code);
    const fields: LogFields = { code, durationMs: this.#durationMs(), error: error instanceof DaemonError ? answer.details : error };
    if (answer.code === status.UNIMPLEMENTED) this.log.debug('call failed', fields);
    else if (EXPECTED.includes(answer.code)) this.log.info('call failed', fields);
    else this.log.warn('call failed', fields);
    this.#metrics.add('rpcErrors', { rpc: this.rpc, code });
    this.#finish(code, answer.details);
    return answer;
  }

  #finish(code: string, error: string | undefined): void {
    this.#unfollow();
    requestEnded(this.context, { code, error });
    const durationMs = this.#durationMs();
    this.#metrics.observe('rpcSeconds', { rpc: this.rpc, code }, durationMs / 1000);
    this.#metrics.add('rpcInFlight', { rpc: this.rpc }, -1);
    const isWorthALine = code === 'OK' && (!QUIET.test(this.rpc) || (durationMs > SLOW_MS && !this.isStream));
    if (isWorthALine) this.log.debug('call finished', { durationMs });
  }

  #durationMs(): number {
    return Math.round((performance.now() - this.#startedAt) * 100) / 100;
  }
}

/**
 * The one wrapper round every RPC: request id, signal, log lines, metrics, decoding, encoding and the mapping of errors.
 * It knows the calls under way, so that a stop can wait for them and end them.
 */
export class Calls {
  readonly #deps: { readonly log: Log; readonly metrics: Metrics };
  readonly #open = new Set<OpenCall>();

  constructor(deps: { readonly log: Log; readonly metrics: Metrics }) {
    this.#deps = deps;
  }

  /** How many calls are under way. */
  get size(): number {
    return this.#open.size;
  }

  /** Ends calls under way with `reason`: every one, or the streaming ones, which would not end by themselves. */
  abort(reason: DaemonError, which: 'all' | 'streams'): void {
    for (const call of this.#open) if (which === 'all' || call.isStream) call.abort(reason);
  }

  /** The grpc-js handler of a unary RPC. */
  unary<Request, Response>(rpc: string, method: Method<Request, Response, boolean>, handler: UnaryHandler<Request, Response>) {
    const answer = async (call: OpenCall, bytes: Buffer): Promise<Buffer> => {
      const request = decode(rpc, method, bytes);
      call.begin(request);
      const answered = timed(rpc, async () => handler(request, call)); // as far as it gets without waiting
      return encode(rpc, method, await answered);
    };
    return (grpcCall: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
      const call = this.#track(rpc, grpcCall, false);
      inRequest(call.context, async () => answer(call, grpcCall.request))
        .then(
          (response) => {
            call.end();
            callback(null, response);
          },
          (error: unknown) => {
            callback(call.fail(error));
          },
        )
        .finally(() => this.#open.delete(call));
    };
  }

  /** The grpc-js handler of a server-streaming RPC; the handler is asked for the next message when the last one has left. */
  stream<Request, Response>(rpc: string, method: Method<Request, Response, boolean>, handler: StreamHandler<Request, Response>) {
    const pump = async (call: OpenCall, out: ServerWritableStream<Buffer, Buffer>): Promise<void> => {
      const request = decode(rpc, method, out.request);
      call.begin(request);
      const source = handler(request, call);
      const messages = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
      const pieces = LISTS.test(rpc) ? new Pieces() : undefined;
      try {
        for (;;) {
          const turn = messages.next();
          const next = turn instanceof Promise ? await waitFor(turn, call.signal) : turn;
          if (next.done === true) return;
          const response = encode(rpc, method, next.value);
          const ready = pieces === undefined ? response : pieces.add(response);
          if (ready !== undefined && !out.write(ready)) await waitFor(once(out, 'drain'), call.signal);
        }
      } finally {
        // At the end, and before an error: what came before it is told.
        const held = pieces?.take();
        if (held !== undefined && !call.signal.aborted) out.write(held);
        // A source that is busy ends when its present step ends; nobody waits for it.
        Promise.resolve(messages.return?.()).catch(() => undefined);
      }
    };
    return (out: ServerWritableStream<Buffer, Buffer>): void => {
      const call = this.#track(rpc, out, true);
      inRequest(call.context, async () => pump(call, out))
        .then(
          () => {
            call.end();
            out.end();
          },
          (error: unknown) => {
            const answer = call.fail(error);
            if (!out.destroyed) out.emit('error', answer); // grpc-js's way to end a stream with a status
          },
        )
        .finally(() => this.#open.delete(call));
    };
  }

  #track(rpc: string, grpcCall: AnyCall, isStream: boolean): OpenCall {
    const call = new OpenCall(rpc, grpcCall, isStream, this.#deps);
    this.#open.add(call);
    return call;
  }
}

function decode<Request>(rpc: string, method: { readonly decodeRequest: (bytes: Uint8Array) => Request }, bytes: Buffer): Request {
  let request: Request;
  try {
    request = timed(`decode ${rpc}`, () => method.decodeRequest(bytes));
  } catch (error) {
    throw new DaemonError('InvalidArgument', `${rpc}: the request cannot be read: ${messageOf(error)}`, { cause: error });
  }
  checkStrings(rpc, request);
  return request;
}

function encode<Message>(rpc: string, method: { readonly encodeResponse: (message: Message) => Uint8Array }, response: Message): Buffer {
  const bytes = timed(`encode ${rpc}`, () => encodeKept(method.encodeResponse, response) ?? method.encodeResponse(response));
  if (bytes.length > MESSAGE_LIMIT_BYTES) {
    throw new DaemonError('ResourceExhausted', `${rpc}: the answer has ${bytes.length} bytes, must have at most ${MESSAGE_LIMIT_BYTES}`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
