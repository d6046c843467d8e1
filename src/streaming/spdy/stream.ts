import { Duplex } from 'node:stream';
import type { Headers } from './headers.ts';
import { RstStatus } from './frames.ts';

const WRITE_BUFFER_BYTES = 64 * 1024;

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** Sends bytes, calls back when the kernel has them. */
  sendData(stream: SpdyStream, data: Buffer, fin: boolean, done: (error?: Error | null) => void): void;
  sendReset(stream: SpdyStream, status: RstStatus): void;
  /** The stream's buffer is full: the peer must wait, or has room again. */
  setFull(stream: SpdyStream, full: boolean): void;
  forget(stream: SpdyStream): void;
}

/**
 * One stream of a SPDY connection, opened by the peer. `end()` half-closes it, `destroy()` resets it unless both sides are done.
 * Nobody need listen for 'error': streams break whenever a client leaves.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #owner: StreamOwner;
  #peerDone = false;
  #weDone = false;

  constructor(owner: StreamOwner, id: number, headers: Headers, bufferBytes: number) {
    super({ readableHighWaterMark: bufferBytes, writableHighWaterMark: WRITE_BUFFER_BYTES, emitClose: true });
    this.id = id;
    this.headers = headers;
    this.#owner = owner;
    this.on('error', () => undefined);
  }

  /** Bytes from the peer; dropped once the stream is over. */
  receive(data: Buffer, fin: boolean): void {
    if (this.#peerDone || this.destroyed) return;
    if (data.length > 0 && !this.push(data)) this.#owner.setFull(this, true);
    if (fin) this.#endReading();
  }

  /**
   * The peer reset the stream. After our own end, this only says that the client is done with the stream, and what it sent
   * before still counts. Before our end, the stream is broken.
   */
  receiveReset(): void {
    const complete = this.writableEnded;
    this.#weDone = true;
    if (complete) this.#endReading();
    else this.#break(new Error('the client reset the stream'));
  }

  /** The connection is gone, and with it the stream. */
  breakOff(error: Error): void {
    this.#weDone = true;
    this.#break(error);
  }

  override _read(): void {
    this.#owner.setFull(this, false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#weDone) done(new Error('write to a stream that the client has reset'));
    else this.#owner.sendData(this, chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#weDone) {
      done();
      return;
    }
    this.#weDone = true;
    this.#owner.sendData(this, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#weDone || !this.#peerDone) {
      // A reset by the peer or the end of the connection have set #weDone: nothing is left to be said.
      if (!this.#weDone) this.#owner.sendReset(this, RstStatus.Cancel);
      this.#weDone = true;
      this.#peerDone = true;
    }
    this.#owner.setFull(this, false);
    this.#owner.forget(this);
    done(error);
  }

  #endReading(): void {
    this.#peerDone = true;
    this.push(null);
  }

  #break(error: Error): void {
    this.#peerDone = true;
    this.destroy(error);
  }
}
