import type { Server } from '@grpc/grpc-js';
import type { Http2Server, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';

/**
 * Makes a bound server refuse compressed requests with UNIMPLEMENTED, as the gRPC specification says (compression.md). The
 * kubelet and crictl send none, and CRI-O and containerd cannot read them either. A request of 15 KiB may become 16 MiB, and
 * each waits in memory for its turn.
 */
export function refuseCompression(server: Server): void {
  // As in timeouts.ts: grpc-js has no hook before it reads the header.
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  for (const http2Server of http2Servers.keys()) {
    http2Server.prependListener('stream', (stream, headers: IncomingHttpHeaders) => {
      const encoding = headers['grpc-encoding'];
      // grpc-js knows gzip and deflate in small letters only. In capitals they are unknown to it, and it refuses them by name.
      if (typeof encoding === 'string' && encoding !== 'identity') headers['grpc-encoding'] = encoding.toUpperCase();
      const respond = stream.respond.bind(stream);
      stream.respond = (answer, options) => {
        respond(withoutEncodings(answer as OutgoingHttpHeaders | undefined), options);
      };
    });
  }
}

/** grpc-js says in every answer what it can decompress. */
function withoutEncodings(headers: OutgoingHttpHeaders | undefined): OutgoingHttpHeaders {
  return { ...headers, 'grpc-accept-encoding': 'identity' };
}
