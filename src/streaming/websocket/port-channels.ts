import type { WebSocket } from 'ws';
import { DaemonError } from '../../base/errors.ts';
import type { PortPair } from '../portforward-session.ts';
import type { SessionLife } from '../session-life.ts';
import { ChannelSocket } from './channel-socket.ts';

/** SPDY as the bytes of binary messages, so that a port can be connected to many times. Source: KEP-4006. */
export const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
export const WEBSOCKET_PORT_FORWARD_PROTOCOLS = [
  TUNNEL_PROTOCOL,
  'portforward.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
] as const;
export type WebSocketPortForwardProtocol = (typeof WEBSOCKET_PORT_FORWARD_PROTOCOLS)[number];

const PORT_BUFFER_BYTES = 1024 * 1024;

/**
 * Takes over a WebSocket with two channels for each of `ports`, data and error, that both begin with the port, two bytes,
 * the low one first. Serves each port once; closes when all are over. Never throws.
 * Source: k8s.io/cri-streaming, portforward/websocket.go.
 */
export async function servePortChannels(
  socket: WebSocket,
  ports: readonly number[],
  protocol: WebSocketPortForwardProtocol,
  life: SessionLife,
  serve: (pair: PortPair) => Promise<void>,
): Promise<void> {
  const closed = Promise.withResolvers<undefined>();
  const channels = new ChannelSocket(socket, {
    base64: protocol.includes('base64'),
    closeSignals: false,
    channelBufferBytes: PORT_BUFFER_BYTES,
    active: life.active,
    closed: (error) => {
      life.end(new DaemonError('Canceled', 'the client has gone', { cause: error }));
      closed.resolve(undefined);
    },
  });
  life.signal.addEventListener(
    'abort',
    () => {
      channels.close();
    },
    { once: true },
  );
  const serving = ports.map(async (port, index) => {
    const data = channels.open(index * 2, true);
    const error = channels.open(index * 2 + 1, false);
    const prefix = Buffer.alloc(2);
    prefix.writeUInt16LE(port);
    data.write(prefix);
    error.write(prefix);
    // The client can neither end its direction nor see ours end, so the connection is over when the port ends it.
    data.once('finish', () => {
      data.receiveEnd();
    });
    await serve({ port, data, error });
    if (!error.writableFinished && !error.destroyed) await new Promise((resolve) => error.once('close', resolve).once('finish', resolve));
  });
  await Promise.all(serving);
  channels.close();
  await closed.promise;
}
