import { decodeBase64 } from '../strict-json.ts';

export interface PemBlock {
  readonly type: string;
  readonly der: Buffer;
}

const BEGIN = /^-----BEGIN ([^\r\n]*?)-----[ \t]*\r?\n/m;
const END = /\n-----END ([^\r\n]*?)-----[ \t]*(\r?\n|$)/;

/**
 * The first block of a text in PEM (RFC 7468) and what follows it; undefined where there is none.
 * @throws Error for a block that is none, or has headers.
 */
export function firstPemBlock(text: string): { readonly block: PemBlock; readonly rest: string } | undefined {
  const begin = BEGIN.exec(text);
  if (begin === null) return undefined;
  const [opening, type = ''] = begin;
  const from = begin.index + opening.length - 1; // the end of that line opens the one of END too
  const body = text.slice(from);
  const end = END.exec(body);
  if (end === null || end[1] !== type) throw new Error(`the PEM block "${type.slice(0, 64)}" has no end`);
  const der = decodeBase64(body.slice(0, end.index).replaceAll(/[ \t]/g, ''));
  if (der === undefined) throw new Error(`the PEM block "${type.slice(0, 64)}" is not base64`);
  return { block: { type, der }, rest: body.slice(end.index + end[0].length) };
}

/** All blocks of a text, which has nothing behind the last one. @throws Error, also where there are more than `most`. */
export function pemBlocks(text: string, most: number): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let rest = text.trim(); rest !== '';) {
    const first = firstPemBlock(rest);
    if (first === undefined) throw new Error('it has something that is not PEM');
    if (blocks.length === most) throw new Error(`it has more than ${most} PEM blocks`);
    blocks.push(first.block);
    rest = first.rest.trim();
  }
  return blocks;
}
