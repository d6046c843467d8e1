import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import type { CallOptions as GrpcCallOptions, ServiceError } from '@grpc/grpc-js';
import { services } from '../../api/cri/runtime.ts';
import type { Init, Method } from '../../api/cri/runtime.ts';

/** As the server's and the kubelet's, bytes. */
const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

const CLIENT_OPTIONS = {
  'grpc.max_receive_message_length': MESSAGE_LIMIT_BYTES,
  'grpc.max_send_message_length': MESSAGE_LIMIT_BYTES,
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1, // each client has a connection of its own, and close() ends it
};

export interface CallOptions {
  /** The call's deadline, milliseconds from now. @default none */
  readonly timeoutMs?: number;
  /** Cancels the call; it then fails with CANCELLED. */
  readonly signal?: AbortSignal;
}

/** A call that did not end with OK. */
export class CriError extends Error {
  override readonly name = 'CriError';
  /** The code's name: `NOT_FOUND`, `DEADLINE_EXCEEDED`, ... */
  readonly code: keyof typeof status;
  /** The runtime's own words. */
  readonly details: string;

  constructor(rpc: string, error: ServiceError) {
    const code = status[error.code] as keyof typeof status;
    super(`${rpc}: ${code}: ${error.details}`, { cause: error });
    this.code = code;
    this.details = error.details;
  }
}

/** One function an RPC: a promise of the answer, or, of a streaming one, its messages. A stream that is left is cancelled. */
export type ServiceClient<Service> = {
  readonly [Name in keyof Service & string as Uncapitalize<Name>]: Service[Name] extends Method<infer Request, infer Response, infer Stream>
    ? (request?: Init<Request>, options?: CallOptions) => Stream extends true ? AsyncIterable<Response> : Promise<Response>
    : never;
};

export interface CriClient {
  readonly runtime: ServiceClient<typeof services.RuntimeService>;
  readonly image: ServiceClient<typeof services.ImageService>;
  close(): void;
}

/** A client of the CRI on a unix socket, given as its path or as `unix://` and its path. It connects with the first call. */
export function connect(socket: string): CriClient {
  const path = socket.replace(/^unix:(\/\/)?/, '');
  const client = new Client(`unix://${path}`, credentials.createInsecure(), CLIENT_OPTIONS);
  return {
    runtime: serviceClient(client, services.RuntimeService),
    image: serviceClient(client, services.ImageService),
    close: () => {
      client.close();
    },
  };
}

function serviceClient<Service extends object>(client: Client, service: Service): ServiceClient<Service> {
  const calls = Object.entries(service as Record<string, Method<unknown, unknown, boolean>>).map(([rpc, method]) => {
    const call = (request: object = {}, options: CallOptions = {}): unknown =>
      method.responseStream ? serverStream(client, rpc, method, request, options) : unary(client, rpc, method, request, options);
    return [rpc.charAt(0).toLowerCase() + rpc.slice(1), call];
  });
  return Object.fromEntries(calls) as ServiceClient<Service>;
}

function grpcOptions({ timeoutMs }: CallOptions): GrpcCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** Cancels `call` when the signal aborts, until the function that it returns is called. */
function cancelWith(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  const cancel = (): void => {
    call.cancel();
  };
  if (signal?.aborted === true) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
}

async function unary<Request, Response>(
  client: Client,
  rpc: string,
  method: Method<Request, Response, boolean>,
  request: Init<Request>,
  options: CallOptions,
): Promise<Response> {
  let unfollow: (() => void) | undefined;
  try {
    return await new Promise<Response>((resolve, reject) => {
      const serialize = (message: Init<Request>): Buffer => Buffer.from(method.encodeRequest(message));
      const call = client.makeUnaryRequest<Init<Request>, Response>(
        method.path,
        serialize,
        method.decodeResponse,
        request,
        new Metadata(),
        grpcOptions(options),
        (error, response) => {
          if (error !== null) reject(new CriError(rpc, error));
          else resolve(response as Response);
        },
      );
      unfollow = cancelWith(options.signal, call);
    });
  } finally {
    unfollow?.();
  }
}

async function* serverStream<Request, Response>(
  client: Client,
  rpc: string,
  method: Method<Request, Response, boolean>,
  request: Init<Request>,
  options: CallOptions,
): AsyncGenerator<Response, void, undefined> {
  const serialize = (message: Init<Request>): Buffer => Buffer.from(method.encodeRequest(message));
  const call = client.makeServerStreamRequest<Init<Request>, Response>(
    method.path,
    serialize,
    method.decodeResponse,
    request,
    new Metadata(),
    grpcOptions(options),
  );
  const unfollow = cancelWith(options.signal, call);
  try {
    for await (const message of call) yield message as Response;
  } catch (error) {
    throw isServiceError(error) ? new CriError(rpc, error) : error;
  } finally {
    unfollow();
    call.cancel();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
