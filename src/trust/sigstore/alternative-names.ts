import { DerReader } from './der.ts';

/** Whom a certificate is for: its subject alternative names, RFC 5280, 4.2.1.6. */
export interface AlternativeNames {
  readonly emails: readonly string[];
  readonly hosts: readonly string[];
  readonly addresses: readonly Buffer[];
  /** Whether there is one among them that we can read: URIs are, names of other kinds are not. */
  readonly areKnown: boolean;
}

const MAX_NAMES = 1000;
const EMAIL = 0x81;
const HOST = 0x82;
const URI = 0x86;
const ADDRESS = 0x87;

/** @throws Error for a name that is not what it says it is. */
export function readAlternativeNames(value: Buffer | undefined): AlternativeNames {
  const emails: string[] = [];
  const hosts: string[] = [];
  const addresses: Buffer[] = [];
  let uris = 0;
  let all = 0;
  if (value !== undefined)
    for (const list = new DerReader(value).sequence(); !list.isAtEnd; all += 1) {
      if (all === MAX_NAMES) throw new Error(`it has more than ${MAX_NAMES} alternative names`);
      const { tag, content } = list.any();
      if (tag === EMAIL) emails.push(readAscii(content));
      else if (tag === HOST) hosts.push(readAscii(content));
      else if (tag === URI) {
        checkUri(readAscii(content));
        uris += 1;
      } else if (tag === ADDRESS) {
        if (content.length !== 4 && content.length !== 16) throw new Error('an alternative name is no IP address');
        addresses.push(content);
      }
    }
  return { emails, hosts, addresses, areKnown: emails.length + hosts.length + addresses.length + uris > 0 };
}

function readAscii(content: Buffer): string {
  if (content.some((byte) => byte >= 0x80)) throw new Error('an alternative name is not ASCII');
  return content.toString('latin1');
}

/** A URI says nothing here, but one that is none makes the certificate none. */
function checkUri(uri: string): void {
  if (/[\0-\x20\x7f]/.test(uri) || /%(?![0-9A-Fa-f]{2})/.test(uri) || !/^([A-Za-z][A-Za-z0-9+.-]*:|[^:]*$|[^:]*\/)/.test(uri))
    throw new Error('an alternative name is no URI');
  const authority = /^[^/?#]*\/\/([^/?#]*)/.exec(uri)?.[1] ?? '';
  if (authority !== '' && !/^([\w.~!$&'()*+,;=:%-]*@)?([\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])?(:\d*)?$/.test(authority))
    throw new Error('an alternative name has no host of a URI');
}
