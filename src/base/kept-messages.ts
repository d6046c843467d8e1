/** The bytes of messages that are told again and again as they are, once they have been told; as long as the message lives. */
const kept = new WeakMap<object, Uint8Array | undefined>();

/**
 * The message of an object, made once for each of its states, which are replaced and never changed. A list of many encodes only what is new: a
 * kubelet asks for it every second.
 */
export function keptPerState<P extends { readonly record: object; readonly state: object }, M extends object>(
  make: (pair: P) => M,
): (pair: P) => M {
  const made = new WeakMap<object, { readonly record: object; readonly message: M }>();
  return (pair) => {
    const known = made.get(pair.state);
    if (known?.record === pair.record) return known.message;
    const message = make(pair);
    kept.set(message, undefined);
    made.set(pair.state, { record: pair.record, message });
    return message;
  };
}

/**
 * Encodes a list of kept messages, a message of one repeated field: those of its items, one after the other, are the same bytes (Protocol
 * Buffers, "Last One Wins").
 * @returns undefined where it is no such list
 */
export function encodeKept<L>(encode: (list: L) => Uint8Array, list: L): Uint8Array | undefined {
  const [[field, items] = [], ...others] = Object.entries(list as Record<string, unknown>);
  if (field === undefined || others.length > 0 || !Array.isArray(items)) return undefined;
  const pieces: Uint8Array[] = [];
  for (const item of items as object[]) {
    if (!kept.has(item)) return undefined;
    let piece = kept.get(item);
    if (piece === undefined) {
      // Bytes of its own: protobufjs gives a slice of Node's pool, and that would keep all 64 KiB of it.
      piece = new Uint8Array(encode({ [field]: [item] } as L));
      kept.set(item, piece);
    }
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}
