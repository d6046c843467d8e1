import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** How long a client that was refused may keep its connection open, milliseconds. */
const LINGER_MS = 5_000;

/** Answers a request to upgrade with a refusal, and closes. */
export function refuseUpgrade(socket: Duplex, code: number, reason: string, headers: Readonly<Record<string, string>> = {}): void {
  const body = `${reason}\n`;
  const fields = {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  };
  socket.resume();
  socket.end(`${head(code, fields)}${body}`);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

/** Answers a request to upgrade with consent; from then on the socket speaks `protocol`. */
export function acceptUpgrade(socket: Duplex, protocol: string, headers: Readonly<Record<string, string>>): void {
  socket.write(head(101, { Connection: 'Upgrade', Upgrade: protocol, ...headers }));
}

function head(code: number, fields: Readonly<Record<string, string>>): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}\r\n${lines.join('')}\r\n`;
}
