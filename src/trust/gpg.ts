import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError, hasErrno } from '../base/errors.ts';
import { run } from '../linux/spawn.ts';
import { BadSignature } from './signature.ts';
import { decodeBase64 } from './strict-json.ts';

/** GnuPG's program that verifies and does nothing else. */
const PROGRAM = 'gpgv';
const TIMEOUT_MS = 10_000;
/** Most bytes of a claim. */
const CLAIM_LIMIT_BYTES = 256 * 1024;
/** What gpgv says of a signature that holds. All else (EXPSIG, EXPKEYSIG, REVKEYSIG, BADSIG, ERRSIG, ...) is none: GnuPG, doc/DETAILS. */
const GOOD = ['NEWSIG', 'GOODSIG', 'VALIDSIG', 'KEY_CONSIDERED', 'SIG_ID', 'PLAINTEXT', 'PLAINTEXT_LENGTH', 'VERIFICATION_COMPLIANCE_MODE'];

/** Verifies OpenPGP messages with gpgv, in a directory that is there for each call alone. */
export class Gpg {
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;
  #ready: Promise<void> | undefined;

  /** @param directory of its own; what an earlier process left in it goes at the first use. */
  constructor(directory: string, environment: Readonly<Record<string, string>>) {
    this.#directory = directory;
    this.#environment = environment;
  }

  /**
   * What a message says, where just one signature is on it, and holds, and is of one of these keys.
   * @param keyrings OpenPGP keys, binary or armored
   * @throws BadSignature; FailedPrecondition where gpgv is not here; Error where a keyring is none.
   */
  async verify(message: Buffer, keyrings: readonly Buffer[], signal: AbortSignal): Promise<Buffer> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined; // a disk that was full may be so no more
      throw error;
    });
    await this.#ready;
    const home = await mkdtemp(join(this.#directory, 'verify-'));
    try {
      const keys = join(home, 'keys.gpg');
      await writeFile(keys, Buffer.concat(keyrings.map(toBinary)), { mode: 0o600 });
      // Standard output is the claim alone, standard error the status alone: what gpgv says to people goes to a file.
      const args = ['--homedir', home, '--keyring', keys, '--log-file', join(home, 'log'), '--status-fd', '2', '--output', '-', '-'];
      const options = { args, env: this.#environment, input: message, timeoutMs: TIMEOUT_MS, outputLimitBytes: CLAIM_LIMIT_BYTES, signal };
      const { exit, stdout, stderr } = await run(PROGRAM, options);
      checkStatus(stderr.toString('utf8'), exit.code === 0);
      return stdout;
    } catch (error) {
      if (hasErrno(error, 'ENOENT'))
        throw new DaemonError('FailedPrecondition', `${PROGRAM} is not in PATH, must be installed for signedBy`, { cause: error });
      throw error;
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }

  async #prepare(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    await mkdir(this.#directory, { mode: 0o700 });
  }
}

function checkStatus(status: string, hasSucceeded: boolean): void {
  const lines = [...status.matchAll(/^\[GNUPG:\] ([A-Z_]+)/gm)].map(([, word = '']) => word);
  const count = (word: string): number => lines.filter((line) => line === word).length;
  const other = lines.filter((line) => !GOOD.includes(line));
  if (hasSucceeded && other.length === 0 && count('GOODSIG') === 1 && count('VALIDSIG') === 1) return;
  const telling = Object.keys(WORDS).find((word) => other.includes(word)) ?? other[0];
  throw new BadSignature(`gpgv says ${WORDS[telling ?? ''] ?? telling ?? `${count('GOODSIG')} good signatures`}`);
}

/** The most telling first. */
const WORDS: Readonly<Record<string, string>> = {
  NO_PUBKEY: 'that it is by none of the keys (NO_PUBKEY)',
  ERRSIG: 'that it is by none of the keys, or of a kind that is not known (ERRSIG)',
  BADSIG: 'that it does not hold (BADSIG)',
  EXPSIG: 'that it has expired (EXPSIG)',
  EXPKEYSIG: 'that its key has expired (EXPKEYSIG)',
  KEYEXPIRED: 'that its key has expired (KEYEXPIRED)',
  REVKEYSIG: 'that its key was revoked (REVKEYSIG)',
  NODATA: 'that it is no OpenPGP message (NODATA)',
};

/** gpgv takes no armor for keys. RFC 9580, 6.2: headers, an empty line, base64, and a checksum that is not needed. */
function toBinary(key: Buffer): Buffer {
  const text = key.toString('latin1');
  if (!text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) return key;
  const blocks = [...text.matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^-]*?)(?:=[\w+/]{4}\s*)?-----END/g)];
  const decoded = blocks.map(([, body = '']) => decodeBase64(body.replaceAll(/\s/g, '')));
  if (decoded.length === 0 || decoded.includes(undefined))
    throw new Error('a key of the policy is no OpenPGP key: its armor cannot be read');
  return Buffer.concat(decoded as Buffer[]);
}
