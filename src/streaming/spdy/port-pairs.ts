import type { Duplex } from 'node:stream';
import { DaemonError } from '../../base/errors.ts';
import type { PortPair } from '../portforward-session.ts';
import type { SessionLife } from '../session-life.ts';
import { SpdyConnection } from './connection.ts';
import { RstStatus } from './frames.ts';
import type { Headers } from './headers.ts';
import type { SpdyStream } from './stream.ts';

export const SPDY_PORT_FORWARD_PROTOCOLS = ['portforward.k8s.io'] as const;

/** Most that waits for one port. Ample, since a connection that is full makes its neighbours wait too. */
const PORT_BUFFER_BYTES = 1024 * 1024;
const HIGHEST_PORT = 65_535;

interface HalfPair {
  data?: SpdyStream;
  error?: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

/**
 * Takes over a connection on which a client opens a data and an error stream for each connection to a port, and
 * serves each pair until the client closes. Never throws.
 * Source: k8s.io/cri-streaming, portforward/httpstream.go.
 */
export async function servePortPairs(
  transport: Duplex,
  life: SessionLife,
  creationTimeoutMs: number,
  serve: (pair: PortPair) => Promise<void>,
): Promise<void> {
  const halves = new Map<string, HalfPair>();
  const serving = new Set<Promise<void>>();
  const closed = Promise.withResolvers<undefined>();

  const giveUp = (request: string): void => {
    const half = halves.get(request);
    halves.delete(request);
    half?.error?.end(
      `wait for the client's streams: request ${request} has no ${half.data === undefined ? 'data' : 'error'} stream after ${creationTimeoutMs / 1000} s`,
    );
    half?.data?.destroy();
  };

  const opened = (stream: SpdyStream): void => {
    const request = requestOf(stream.headers, stream.id);
    const half: HalfPair = halves.get(request) ?? {
      timer: setTimeout(() => {
        giveUp(request);
      }, creationTimeoutMs),
    };
    half[kindOf(stream.headers)] = stream;
    halves.set(request, half);
    if (half.data === undefined || half.error === undefined) return;
    clearTimeout(half.timer);
    halves.delete(request);
    const work = serve({ port: portOf(half.data.headers), data: half.data, error: half.error }).finally(() => serving.delete(work));
    serving.add(work);
  };

  const connection = new SpdyConnection(transport, {
    streamBufferBytes: PORT_BUFFER_BYTES,
    active: life.active,
    accept: (headers, id) => {
      const kind = headers.get('streamtype');
      const known = kind === 'data' || kind === 'error';
      const valid = known && isPort(portOf(headers)) && halves.get(requestOf(headers, id))?.[kind] === undefined;
      return valid ? undefined : RstStatus.ProtocolError;
    },
    opened,
    closed: (error) => {
      life.end(new DaemonError('Canceled', 'the client has gone', { cause: error }));
      closed.resolve(undefined);
    },
  });
  life.signal.addEventListener(
    'abort',
    () => {
      connection.close();
    },
    { once: true },
  );
  await closed.promise;
  for (const half of halves.values()) clearTimeout(half.timer);
  await Promise.all(serving);
}

function portOf(headers: Headers): number {
  const text = headers.get('port') ?? '';
  return /^\d{1,5}$/.test(text) ? Number(text) : 0;
}

function isPort(port: number): boolean {
  return port >= 1 && port <= HIGHEST_PORT;
}

function kindOf(headers: Headers): 'data' | 'error' {
  return headers.get('streamtype') === 'error' ? 'error' : 'data';
}

/** Clients before Kubernetes 1.2 number no requests: their error stream comes right before its data stream. */
function requestOf(headers: Headers, id: number): string {
  return headers.get('requestid') ?? String(kindOf(headers) === 'error' ? id : id - 2);
}
