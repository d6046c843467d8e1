/** The RPCs whose stream is one list in pieces (KEP-5825): their responses have repeated fields only. */
export const LISTS = /^Stream/;

/** Most that several items share a response for, bytes. A response by itself costs what some 16 KiB of it do. */
const PIECE_BYTES = 64 * 1024;

/**
 * Puts small responses of a list together. Encoded messages one after the other are the message with all of their repeated fields
 * (Protocol Buffers, "Last One Wins"), so nothing is encoded twice. An item that is larger than {@link PIECE_BYTES} has a response
 * to itself.
 */
export class Pieces {
  #held: Buffer[] = [];
  #bytes = 0;

  /** Takes an encoded response. @returns what is to be sent first, if anything. */
  add(response: Buffer): Buffer | undefined {
    const full = this.#bytes > 0 && this.#bytes + response.length > PIECE_BYTES ? this.take() : undefined;
    this.#held.push(response);
    this.#bytes += response.length;
    return full;
  }

  /** What is held; nothing is held then. */
  take(): Buffer | undefined {
    const held = this.#held;
    this.#held = [];
    this.#bytes = 0;
    return held.length < 2 ? held[0] : Buffer.concat(held);
  }
}
