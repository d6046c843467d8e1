import { BadSignature } from '../signature.ts';
import type { Certificate } from './certificate.ts';
import { isPrintable } from './certificate-values.ts';
import { DerReader } from './der.ts';

/** Where Fulcio writes who knew the signer: as it is, and since 2023 as a UTF8String. fulcio, docs/oid-info.md */
const ISSUER = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
/** UTF8String; PrintableString and IA5String, which Go reads as well. */
const PRINTABLE = 0x13;
const TEXTS = [0x0c, PRINTABLE, 0x16];

/** @throws BadSignature where it is missing, or the two differ. */
export function oidcIssuerOf({ extensions }: Certificate): string {
  const first = extensions.get(ISSUER);
  const second = extensions.get(ISSUER_V2);
  if (first === undefined && second === undefined) throw new BadSignature('its certificate names no OIDC issuer');
  const read = second === undefined ? undefined : readText(second);
  if (first !== undefined && read !== undefined && !first.equals(read))
    throw new BadSignature('its certificate names two OIDC issuers that differ');
  return (first ?? read ?? Buffer.alloc(0)).toString('utf8');
}

function readText(value: Buffer): Buffer {
  try {
    const reader = new DerReader(value);
    const { tag, content } = reader.any();
    if (!TEXTS.includes(tag) || (tag === PRINTABLE && !isPrintable(content))) throw new Error('it is no text');
    reader.end();
    new TextDecoder('utf8', { fatal: true }).decode(content);
    return content;
  } catch (error) {
    throw new BadSignature('the OIDC issuer of its certificate cannot be read', { cause: error });
  }
}
