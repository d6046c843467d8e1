/**
 * NRI's multiplexer: several connections over one (containerd/nri: pkg/net/multiplex). A piece has eight bytes of header (connection, length;
 * big-endian), then what was written to that connection. Nothing says that one is opened or closed.
 */
import { Duplex } from 'node:stream';
import { messageOf } from '../base/errors.ts';
import { TtrpcClosedError, TtrpcProtocolError } from './ttrpc/errors.ts';
import { MAX_MESSAGE_BYTES } from './ttrpc/frame.ts';

/** The connection over which the runtime calls the plugin (pkg/net/multiplex/ttrpc.go). */
export const PLUGIN_SERVICE_CONNECTION = 1;
/** The connection over which the plugin calls the runtime. */
export const RUNTIME_SERVICE_CONNECTION = 2;

const HEADER_BYTES = 8;
/** Most that a piece has: one message of ttrpc with its header. */
const MAX_PIECE_BYTES = MAX_MESSAGE_BYTES + 10;

/** Told when more may be written, or with why nothing can be any more. */
type Written = (error?: Error) => void;

/** Cuts and joins the connections over `trunk`, which is its own alone and is destroyed with it. */
export class Mux {
  readonly #trunk: Duplex;
  readonly #connections = new Map<number, Connection>();
  readonly #ended = Promise.withResolvers<undefined>();
  #reason: Error | undefined;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Of the piece that is coming. */
  #missing = 0;
  /** Connections whose readers have enough; while there is one, nothing is read. */
  readonly #full = new Set<Connection>();
  /** Writers that wait until the trunk has room. */
  #writers: Written[] = [];

  /** Its connections are to be opened before the turn ends: what comes for one that is not open is dropped, as upstream does. */
  constructor(trunk: Duplex) {
    this.#trunk = trunk;
    trunk.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    trunk.on('drain', () => {
      const writers = this.#writers;
      this.#writers = [];
      for (const written of writers) written();
    });
    trunk.on('end', () => {
      const isMidPiece = this.#headerBytes > 0 || this.#missing > 0;
      this.close(new TtrpcClosedError(isMidPiece ? 'the peer has closed in the middle of a message' : 'the peer has closed'));
    });
    trunk.on('error', (error) => {
      this.close(new TtrpcClosedError(`the connection has failed: ${messageOf(error)}`, { cause: error }));
    });
    trunk.on('close', () => {
      this.close(new TtrpcClosedError('the connection was closed'));
    });
    if (trunk.destroyed) this.close(new TtrpcClosedError('the connection was closed before'));
  }

  /** Resolves when the trunk has ended, by whomever; {@link reason} then says why. */
  get closed(): Promise<void> {
    return this.#ended.promise;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  /** The connection of a number, from 1. It ends with the trunk; the trunk ends with it where an error destroys it. */
  open(id: number): Duplex {
    const open = this.#connections.get(id);
    if (open !== undefined) return open;
    const connection = new Connection({
      write: (piece, written) => {
        this.#write(id, piece, written);
      },
      ready: () => {
        if (this.#full.delete(connection) && this.#full.size === 0) this.#trunk.resume();
      },
      destroyed: (error) => {
        this.#connections.delete(id);
        if (this.#full.delete(connection) && this.#full.size === 0) this.#trunk.resume();
        if (error !== null) this.close(error);
      },
    });
    if (this.#reason === undefined) this.#connections.set(id, connection);
    else connection.destroy(this.#reason);
    return connection;
  }

  close(reason: Error = new TtrpcClosedError('the connection was closed by this side')): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#trunk.destroy();
    for (const written of this.#writers) written(reason);
    this.#writers = [];
    for (const connection of this.#connections.values()) connection.destroy(reason);
    this.#ended.resolve(undefined);
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#reason === undefined) {
      if (this.#headerBytes < HEADER_BYTES) {
        const end = Math.min(chunk.length, at + HEADER_BYTES - this.#headerBytes);
        this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end);
        at = end;
        if (this.#headerBytes === HEADER_BYTES) this.#beginPiece();
        continue;
      }
      const end = Math.min(chunk.length, at + this.#missing);
      this.#missing -= end - at;
      if (this.#missing === 0) this.#headerBytes = 0;
      this.#deliver(this.#header.readUInt32BE(0), chunk.subarray(at, end));
      at = end;
    }
  }

  #beginPiece(): void {
    this.#missing = this.#header.readUInt32BE(4);
    if (this.#missing === 0) this.#headerBytes = 0;
    if (this.#missing <= MAX_PIECE_BYTES) return;
    this.close(
      new TtrpcProtocolError(`a piece of ${this.#missing} bytes is announced, must be ${MAX_PIECE_BYTES} at most: this is not NRI`),
    );
  }

  #deliver(id: number, bytes: Buffer): void {
    const connection = this.#connections.get(id);
    if (connection === undefined || connection.push(bytes)) return;
    this.#full.add(connection);
    this.#trunk.pause();
  }

  #write(id: number, bytes: Buffer, written: Written): void {
    if (this.#reason !== undefined) {
      written(this.#reason);
      return;
    }
    let hasRoom = true;
    this.#trunk.cork();
    for (let at = 0; at < bytes.length; at += MAX_PIECE_BYTES) {
      const piece = bytes.subarray(at, at + MAX_PIECE_BYTES);
      const header = Buffer.allocUnsafe(HEADER_BYTES);
      header.writeUInt32BE(id, 0);
      header.writeUInt32BE(piece.length, 4);
      this.#trunk.write(header);
      hasRoom = this.#trunk.write(piece);
    }
    this.#trunk.uncork();
    if (hasRoom) written();
    else this.#writers.push(written);
  }
}

/** What a {@link Connection} asks of its {@link Mux}. */
interface Trunk {
  write(bytes: Buffer, written: Written): void;
  /** The reader of the connection wants more. */
  ready(): void;
  destroyed(error: Error | null): void;
}

/** One connection of a {@link Mux}. Each write is one piece, whose borders the other end sees. */
class Connection extends Duplex {
  readonly #trunk: Trunk;

  constructor(trunk: Trunk) {
    super({ allowHalfOpen: false });
    this.#trunk = trunk;
    // Whoever uses the connection hears of its end as of any stream's; that nobody does must not end the daemon.
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.#trunk.ready();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: Written): void {
    this.#trunk.write(chunk, written);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#trunk.destroyed(error);
    callback(error);
  }
}
