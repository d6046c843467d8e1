import type { WebSocket } from 'ws';
import { DaemonError } from '../../base/errors.ts';
import type { StreamChoice } from '../backend.ts';
import { RemoteStreams } from '../remote-streams.ts';
import type { SessionLife } from '../session-life.ts';
import { ChannelSocket } from './channel-socket.ts';

/** Remote command protocols over WebSocket. Source: k8s.io/streaming, wsstream and remotecommand constants. */
export const WEBSOCKET_COMMAND_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
export type WebSocketCommandProtocol = (typeof WEBSOCKET_COMMAND_PROTOCOLS)[number];

/** Most input that waits for the command, bytes. */
const STDIN_BUFFER_BYTES = 256 * 1024;
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Takes over a WebSocket whose channels are the streams of an exec or attach. */
export function acceptWebSocketStreams(
  socket: WebSocket,
  choice: StreamChoice,
  protocol: WebSocketCommandProtocol,
  life: SessionLife,
): RemoteStreams {
  const closed = Promise.withResolvers<undefined>();
  const channels = new ChannelSocket(socket, {
    base64: protocol.includes('base64'),
    closeSignals: protocol === 'v5.channel.k8s.io',
    channelBufferBytes: STDIN_BUFFER_BYTES,
    active: life.active,
    closed: (error) => {
      life.end(new DaemonError('Canceled', 'the client has gone', { cause: error }));
      closed.resolve(undefined);
    },
  });
  const streams = {
    stdin: choice.stdin ? channels.open(CHANNEL.stdin, true) : undefined,
    stdout: choice.stdout ? channels.open(CHANNEL.stdout, false) : undefined,
    stderr: choice.stderr ? channels.open(CHANNEL.stderr, false) : undefined,
    error: channels.open(CHANNEL.error, false),
    resize: channels.open(CHANNEL.resize, true),
  };
  // Clients of the earlier protocols take an empty message on the lowest output for "connected".
  (streams.stdout ?? streams.stderr ?? streams.error).write(Buffer.alloc(0));
  const statusFormat = protocol.startsWith('v') ? 'json' : 'text';
  return new RemoteStreams(streams, statusFormat, {
    closed: closed.promise,
    close: () => {
      channels.close();
    },
  });
}
