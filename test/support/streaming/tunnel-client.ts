import http from 'node:http';
import { Duplex } from 'node:stream';

/**
 * SPDY as the binary messages of a WebSocket, the client's side. ws cannot be used: it refuses the tunnel's protocol
 * name. Masks are zero, so payloads stay as they are.
 */
class Tunnel extends Duplex {
  readonly #socket: Duplex;
  #pending = Buffer.alloc(0);

  constructor(socket: Duplex, head: Buffer) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.push(null));
    this.#receive(head);
  }

  override _read(): void {
    // The tests read as fast as it comes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const header = Buffer.alloc(14);
    header[0] = 0x82;
    header[1] = 0xff;
    header.writeBigUInt64BE(BigInt(chunk.length), 2);
    this.#socket.write(Buffer.concat([header, chunk]), done);
  }

  override _final(done: () => void): void {
    this.#socket.end(Buffer.from('888000000000', 'hex'), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #receive(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const short = (this.#pending[1] ?? 0) & 0x7f;
      const headerBytes = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (this.#pending.length < headerBytes) return;
      const lengthBytes = short === 126 ? this.#pending.readUInt16BE(2) : short === 127 ? Number(this.#pending.readBigUInt64BE(2)) : short;
      if (this.#pending.length < headerBytes + lengthBytes) return;
      const kind = (this.#pending[0] ?? 0) & 0x0f;
      if (kind === 8) this.push(null);
      if (kind === 2) this.push(this.#pending.subarray(headerBytes, headerBytes + lengthBytes));
      this.#pending = this.#pending.subarray(headerBytes + lengthBytes);
    }
  }
}

/** Opens a tunnel to a port-forward URL. */
export async function openTunnel(url: string): Promise<Duplex> {
  const request = http.get(url, {
    agent: false,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
      'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
    },
  });
  return await new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      reject(new Error(`status ${response.statusCode ?? 0}`));
    });
    request.on('upgrade', (response, socket, head) => {
      if (response.headers['sec-websocket-protocol'] === 'SPDY/3.1+portforward.k8s.io') resolve(new Tunnel(socket, head));
      else reject(new Error('the tunnel protocol was not chosen'));
    });
  });
}
