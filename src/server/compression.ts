import type { Server } from '@grpc/grpc-js';
import type { Http2Server, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';

/**
 * Has a bound server refuse compressed requests, with UNIMPLEMENTED as the gRPC specification has it (compression.md). The kubelet
 * and crictl send none, and both peers have no decompressor. One of 15 KiB becomes 16 MiB, and each waits in memory for its turn.
 */
export function refuseCompression(server: Server): void {
  // As in timeouts.ts: grpc-js has no hook before it reads the header.
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  for (const http2Server of http2Servers.keys()) {
    http2Server.prependListener('stream', (stream, headers: IncomingHttpHeaders) => {
      const encoding = headers['grpc-encoding'];
      // grpc-js knows gzip and deflate by these names only, and refuses what it does not know by the name it has.
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
