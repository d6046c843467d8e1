import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, writeFileAtomic } from '../base/atomic-file.ts';
import { DaemonError, messageOf, unlessMissing, unlessReadOnly } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Signature } from '../trust/signature.ts';

/** Most bytes that are kept of one manifest's signatures. */
const LIMIT_BYTES = 4 * 1024 * 1024;
const SUFFIX = '.json';

/** The signatures that were found when images were pulled, one file for each manifest: what a check of an image that is here goes by. */
export class KeptSignatures {
  readonly #directory: string;
  readonly #mutex = new KeyedMutex<string>();

  /** @param directory of its own, made with the first signatures. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined where nobody looked for any. @throws SignatureValidationFailed where the file is wrong. */
  async read(manifest: Digest): Promise<readonly Signature[] | undefined> {
    const path = this.#path(manifest);
    try {
      const text = await unlessMissing(readFile(path, 'utf8'), undefined);
      return text === undefined ? undefined : Field.parse(text, '').at('signatures').list(readSignature);
    } catch (error) {
      const words = `the signatures kept in ${path} cannot be read, pull the image again: ${messageOf(error)}`;
      throw new DaemonError('SignatureValidationFailed', words, { cause: error });
    }
  }

  /** Keeps what a pull has found. Where that is none, those of an earlier pull stay: the mirror of today may hide them. */
  async keep(manifest: Digest, signatures: readonly Signature[]): Promise<void> {
    const text = JSON.stringify({ version: 1, signatures: signatures.map(toJson) });
    if (text.length > LIMIT_BYTES)
      throw new DaemonError('SignatureValidationFailed', `the signatures of ${manifest} have ${text.length} bytes, must have at most ${LIMIT_BYTES} to be kept`); // prettier-ignore
    await this.#mutex.run(manifest, async () => {
      if (signatures.length === 0 && ((await this.read(manifest))?.length ?? 0) > 0) return;
      await makeDirectoryDurable(this.#directory);
      await writeFileAtomic(this.#path(manifest), text);
    });
  }

  /** Removes those of manifests that no image has, and what a crash left half-written. */
  async collect(isNeeded: (manifest: Digest) => boolean): Promise<void> {
    for (const file of await unlessMissing(readdir(this.#directory), [])) {
      const manifest: Digest = `sha256:${file.slice(0, 64)}` as Digest;
      await this.#mutex.run(manifest, async () => {
        // Asked when nobody writes: who keeps signatures has said before that the manifest is needed.
        if (!file.endsWith(SUFFIX) || !isNeeded(manifest)) await unlessReadOnly(rm(join(this.#directory, file), { force: true }));
      });
    }
  }

  #path(manifest: Digest): string {
    return join(this.#directory, `${manifest.slice('sha256:'.length)}${SUFFIX}`);
  }
}

function toJson(signature: Signature): object {
  const { kind } = signature;
  if (kind === 'simple') return { kind, bytes: signature.bytes.toString('base64') };
  return { kind, bytes: signature.payload.toString('base64'), annotations: signature.annotations };
}

function readSignature(field: Field): Signature {
  const kind = field.at('kind').oneOf(['simple', 'sigstore']);
  const bytes = Buffer.from(field.at('bytes').text(), 'base64');
  if (kind === 'simple') return { kind, bytes };
  return { kind, payload: bytes, annotations: field.at('annotations').map() };
}
