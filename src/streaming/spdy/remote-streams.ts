import type { Duplex } from 'node:stream';
import { waitFor } from '../../base/deadline.ts';
import { DaemonError } from '../../base/errors.ts';
import type { StreamChoice } from '../backend.ts';
import { RemoteStreams, type Carrier } from '../remote-streams.ts';
import type { SessionLife } from '../session-life.ts';
import { SpdyConnection } from './connection.ts';
import { RstStatus } from './frames.ts';
import type { SpdyStream } from './stream.ts';

/** Remote command protocols over SPDY, the best first. Source: k8s.io/streaming, remotecommand constants. */
export const SPDY_COMMAND_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
export type SpdyCommandProtocol = (typeof SPDY_COMMAND_PROTOCOLS)[number];

/** Most input that waits for the command, bytes. */
const STDIN_BUFFER_BYTES = 256 * 1024;
const STREAM_TYPES = ['error', 'stdin', 'stdout', 'stderr', 'resize'] as const;
type StreamType = (typeof STREAM_TYPES)[number];

function isStreamType(text: string | undefined): text is StreamType {
  return STREAM_TYPES.some((type) => type === text);
}

/** The streams that the client has to open: it creates them one by one and waits for the reply to each. */
function wantedStreams(choice: StreamChoice, protocol: SpdyCommandProtocol): StreamType[] {
  const resizes = protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io';
  const wanted: Record<StreamType, boolean> = { ...choice, error: true, resize: choice.tty && resizes };
  return STREAM_TYPES.filter((type) => wanted[type]);
}

/**
 * Takes over a connection on which the client opens the streams of an exec or attach, and waits for them.
 * @throws {DaemonError} DeadlineExceeded when some are missing after `creationTimeoutMs`, or why the session ended;
 *   the connection is then gone.
 */
export async function acceptSpdyStreams(
  transport: Duplex,
  choice: StreamChoice,
  protocol: SpdyCommandProtocol,
  life: SessionLife,
  creationTimeoutMs: number,
): Promise<RemoteStreams> {
  const opened = new Map<StreamType, SpdyStream>();
  const wanted = wantedStreams(choice, protocol);
  const complete = Promise.withResolvers<undefined>();
  const closed = Promise.withResolvers<undefined>();
  const connection = new SpdyConnection(transport, {
    streamBufferBytes: STDIN_BUFFER_BYTES,
    active: life.active,
    accept: (headers) => {
      const type = headers.get('streamtype');
      return isStreamType(type) && !opened.has(type) ? undefined : RstStatus.ProtocolError;
    },
    opened: (stream) => {
      const type = stream.headers.get('streamtype');
      if (!isStreamType(type)) return;
      opened.set(type, stream);
      if (!wanted.includes(type)) stream.resume(); // one nobody asked for: what comes is dropped
      if (wanted.every((name) => opened.has(name))) complete.resolve(undefined);
    },
    closed: (error) => {
      life.end(new DaemonError('Canceled', 'the client has gone', { cause: error }));
      closed.resolve(undefined);
    },
  });
  const carrier: Carrier = {
    closed: closed.promise,
    close: () => {
      connection.close();
    },
  };
  const timer = setTimeout(() => {
    const missing = wanted.filter((type) => !opened.has(type)).join(', ');
    complete.reject(
      new DaemonError('DeadlineExceeded', `wait for the client's streams: ${missing} not opened within ${creationTimeoutMs / 1000} s`),
    );
  }, creationTimeoutMs);
  try {
    await waitFor(complete.promise, life.signal);
  } catch (error) {
    connection.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return new RemoteStreams(chosen(opened, wanted), protocol === 'v4.channel.k8s.io' ? 'json' : 'text', carrier);
}

function chosen(
  opened: ReadonlyMap<StreamType, SpdyStream>,
  wanted: readonly StreamType[],
): { error: SpdyStream } & Partial<Record<StreamType, SpdyStream>> {
  const error = opened.get('error');
  if (error === undefined) throw new DaemonError('Internal', 'take the streams of a client: the error stream is missing, must be there');
  return { ...Object.fromEntries([...opened].filter(([type]) => wanted.includes(type))), error };
}
