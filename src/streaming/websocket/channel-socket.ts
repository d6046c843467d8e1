import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { DaemonError } from '../../base/errors.ts';

/** Channel number that announces the end of another; v5 only. Source: k8s.io/streaming, wsstream. */
const CLOSE_CHANNEL = 255;
const FIRST_TEXT_CHANNEL = '0'.charCodeAt(0);
const WRITE_BUFFER_BYTES = 64 * 1024;
/** How long the peer may take to answer our close, milliseconds. */
const LINGER_MS = 10_000;
/** How often a peer that we do not read from is asked whether it is there, milliseconds. */
const WATCH_MS = 10_000;
const POLICY_VIOLATION = 1008;
const NORMAL = 1000;

export interface ChannelSocketOptions {
  /** Text messages: the channel as a digit, then base64. Otherwise binary: the channel as a byte, then the bytes. */
  readonly base64: boolean;
  /** Whether the client may half-close a channel (v5). */
  readonly closeSignals: boolean;
  /** Most bytes one channel holds that nobody has read yet; then the client must wait. */
  readonly channelBufferBytes: number;
  /** Data came or went; heartbeats are none. */
  readonly active: () => void;
  /** The connection is over, once; without an error where it was closed in good order. */
  readonly closed: (error: Error | undefined) => void;
  readonly watchMs?: number;
  readonly lingerMs?: number;
}

/** A WebSocket that carries numbered channels: every message is for one of them. */
export class ChannelSocket {
  readonly #socket: WebSocket;
  readonly #options: ChannelSocketOptions;
  readonly #channels = new Map<number, Channel>();
  readonly #full = new Set<Channel>();
  #watch: NodeJS.Timeout | undefined;
  #error: Error | undefined;
  #closing = false;

  constructor(socket: WebSocket, options: ChannelSocketOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (data) => {
      this.#receive(asBuffer(data));
    });
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => {
      this.#over();
    });
  }

  /** Opens a channel; one that does not `read` drops what the client sends on it. */
  open(number: number, read: boolean): Channel {
    const channel = new Channel(this, number, read, this.#options.channelBufferBytes);
    this.#channels.set(number, channel);
    return channel;
  }

  /** Ends the connection once all that was written has left; what still comes is dropped. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#stopWatch();
    this.#socket.resume();
    this.#socket.close(NORMAL);
    const timer = setTimeout(() => {
      this.#socket.terminate();
    }, this.#options.lingerMs ?? LINGER_MS).unref();
    this.#socket.once('close', () => {
      clearTimeout(timer);
    });
  }

  send(number: number, data: Buffer, done: (error?: Error | null) => void): void {
    this.#options.active();
    const sent = (error?: Error): void => {
      this.#options.active();
      done(error);
    };
    if (this.#options.base64) this.#socket.send(`${number}${data.toString('base64')}`, sent);
    else this.#socket.send(Buffer.concat([Buffer.of(number), data]), { binary: true }, sent);
  }

  setFull(channel: Channel, full: boolean): void {
    if (full) this.#full.add(channel);
    else if (!this.#full.delete(channel)) return;
    if (this.#closing) return;
    if (this.#full.size === 0) {
      this.#stopWatch();
      this.#socket.resume();
      return;
    }
    this.#socket.pause();
    // A side that does not read learns only by writing that the peer has gone.
    this.#watch ??= setInterval(() => {
      this.#socket.ping();
    }, this.#options.watchMs ?? WATCH_MS).unref();
  }

  #receive(message: Buffer): void {
    this.#options.active();
    const first = message[0];
    if (first === undefined || this.#closing) return;
    if (this.#options.closeSignals && first === CLOSE_CHANNEL) {
      const number = message[1];
      if (number === undefined || message.length !== 2) this.#violated(`a close signal has ${message.length} bytes, must have 2`);
      else this.#channels.get(number)?.receiveEnd();
      return;
    }
    const channel = this.#channels.get(this.#options.base64 ? first - FIRST_TEXT_CHANNEL : first);
    if (channel === undefined) return; // as the other servers: a client may send what this session has no use for
    const data = this.#options.base64 ? decodeBase64(message.subarray(1)) : message.subarray(1);
    if (data === undefined) this.#violated('a message is not base64, must be');
    else if (data.length > 0) channel.receive(data);
  }

  #violated(what: string): void {
    this.#error ??= new DaemonError('InvalidArgument', `WebSocket channels: ${what}`);
    this.#socket.close(POLICY_VIOLATION, what);
    this.close();
  }

  #stopWatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #over(): void {
    this.#closing = true;
    this.#stopWatch();
    for (const channel of this.#channels.values())
      channel.destroy(new DaemonError('Canceled', 'the client has gone', { cause: this.#error }));
    this.#options.closed(this.#error);
  }
}

/** One channel. The client is not told when we end it: the protocol has a message for the client's end only. */
export class Channel extends Duplex {
  readonly #socket: ChannelSocket;
  readonly #number: number;
  #reads: boolean;

  constructor(socket: ChannelSocket, number: number, reads: boolean, bufferBytes: number) {
    super({ readableHighWaterMark: bufferBytes, writableHighWaterMark: WRITE_BUFFER_BYTES });
    this.#socket = socket;
    this.#number = number;
    this.#reads = reads;
    this.on('error', () => undefined);
  }

  receive(data: Buffer): void {
    if (!this.#reads || this.destroyed) return;
    if (!this.push(data)) this.#socket.setFull(this, true);
  }

  /** The client sends no more; nothing after it counts. */
  receiveEnd(): void {
    if (!this.#reads || this.destroyed) return;
    this.#reads = false;
    this.push(null);
  }

  override _read(): void {
    this.#socket.setFull(this, false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.send(this.#number, chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.setFull(this, false);
    done(error);
  }
}

function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** The bytes of base64 text; undefined where it is none (Node's decoder just leaves out what it does not know). */
function decodeBase64(text: Buffer): Buffer | undefined {
  const source = text.toString('latin1');
  const bytes = Buffer.from(source, 'base64');
  return bytes.toString('base64') === source ? bytes : undefined;
}
