import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { UntypedHandleCall } from '@grpc/grpc-js';
import type { Duplex } from 'node:stream';
import { services } from '../../api/cri/runtime.ts';
import type { Method } from '../../api/cri/runtime.ts';
import { isUnimplemented } from '../base/call.ts';
import { sleep } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { prepareSocket } from '../base/socket-place.ts';
import type { ImageServiceHandlers } from '../imageservice/handlers.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RuntimeServiceHandlers } from '../runtimeservice/handlers.ts';
import { Calls, MESSAGE_LIMIT_BYTES } from './call.ts';
import { refuseCompression } from './compression.ts';
import { keepLongDeadlines } from './timeouts.ts';

export interface ListenOptions {
  /** Path of the unix socket. */
  readonly path: string;
  /** Permissions of the socket. @default 0o660 */
  readonly mode?: number;
  /** Owner of the socket. @default the daemon's own user and group */
  readonly uid?: number;
  readonly gid?: number;
  readonly runtime: RuntimeServiceHandlers;
  readonly image: ImageServiceHandlers;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface CriServer {
  /** How many calls are under way. */
  readonly callsInFlight: number;
  /** Serves a connection that came in elsewhere. */
  take(connection: Duplex): void;
  /**
   * Takes no more calls, ends the streaming ones, waits for the others, at most `graceMs`, then ends them as well. The socket is
   * removed first, so that a new client fails at once and tries again.
   */
  close(graceMs: number): Promise<void>;
}

type Handler = Parameters<Calls['unary']>[2] & Parameters<Calls['stream']>[2];

/** How long calls that were told to end may take to do so before their connections are cut, milliseconds. */
const FORCE_AFTER_MS = 1000;

const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': MESSAGE_LIMIT_BYTES,
  'grpc.max_send_message_length': MESSAGE_LIMIT_BYTES,
  // grpc.enable_channelz stays on: without it grpc-js 1.14 does not know its connections, and forceShutdown cuts none.
};

/**
 * Serves the CRI's two services on a unix socket.
 * @throws {DaemonError} FailedPrecondition where another process listens there; InvalidArgument, Unavailable where the
 * path cannot be used.
 */
export async function listen(options: ListenOptions): Promise<CriServer> {
  const { path, mode = 0o660, uid = process.getuid?.() ?? 0, gid = process.getgid?.() ?? 0 } = options;
  const place = await prepareSocket({ path, mode, uid, gid });
  const calls = new Calls(options);
  const server = new Server(SERVER_OPTIONS);
  register(server, calls, services.RuntimeService, options.runtime);
  register(server, calls, services.ImageService, options.image);
  const others = server.createConnectionInjector(ServerCredentials.createInsecure());
  try {
    await bind(server, place.bindPath);
    keepLongDeadlines(server);
    refuseCompression(server);
    await place.publish();
  } catch (error) {
    server.forceShutdown();
    await place.discard();
    throw new DaemonError('Unavailable', `listen on ${path}: ${messageOf(error)}`, { cause: error });
  }
  return {
    get callsInFlight() {
      return calls.size;
    },
    take: (connection) => {
      others.injectConnection(connection);
    },
    close: async (graceMs) => {
      await place.remove();
      await shutDown(server, calls, graceMs);
    },
  };
}

/** The RPCs that answer UNIMPLEMENTED, by their CRI names; for the start-up log. */
export function unimplementedRpcs(handlers: { readonly runtime: RuntimeServiceHandlers; readonly image: ImageServiceHandlers }): string[] {
  return [...entriesOf(services.RuntimeService, handlers.runtime), ...entriesOf(services.ImageService, handlers.image)]
    .filter(({ handler }) => isUnimplemented(handler))
    .map(({ rpc }) => rpc);
}

function entriesOf(service: object, handlers: object): { rpc: string; method: Method<unknown, unknown, boolean>; handler: Handler }[] {
  const table = handlers as Readonly<Record<string, Handler | undefined>>;
  return Object.entries(service as Record<string, Method<unknown, unknown, boolean>>).map(([rpc, method]) => {
    const handler = table[rpc.charAt(0).toLowerCase() + rpc.slice(1)];
    if (handler === undefined) throw new DaemonError('Internal', `serve ${rpc}: it has no handler, must have one`);
    return { rpc, method, handler };
  });
}

function register(server: Server, calls: Calls, service: object, handlers: object): void {
  // grpc-js hands bytes through as they are. The wrapper decodes and encodes them, so that a failure there is measured and put
  // into words too.
  const asIs = (bytes: Buffer): Buffer => bytes;
  for (const { rpc, method, handler } of entriesOf(service, handlers)) {
    const type = method.responseStream ? 'serverStream' : 'unary';
    const wrapped = method.responseStream ? calls.stream(rpc, method, handler) : calls.unary(rpc, method, handler);
    server.register(method.path, wrapped as UntypedHandleCall, asIs, asIs, type);
  }
}

async function bind(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

async function shutDown(server: Server, calls: Calls, graceMs: number): Promise<void> {
  const reason = new DaemonError('Unavailable', 'podwright is stopping');
  const closed = new Promise<void>((resolve) => {
    server.tryShutdown(() => {
      resolve();
    });
  });
  calls.abort(reason, 'streams');
  const timer = new AbortController();
  await Promise.race([closed, sleep(graceMs, timer.signal)]);
  if (calls.size > 0) {
    calls.abort(reason, 'all');
    await Promise.race([closed, sleep(FORCE_AFTER_MS, timer.signal)]);
  }
  timer.abort();
  server.forceShutdown();
}
