import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import type { ParseName } from './image-name.ts';
import { readPolicy } from './policy.ts';
import type { Policy } from './policy.ts';
import { readTrustedFile } from './trusted-file.ts';

/** Where containers' tools keep the node's policy. */
export const DEFAULT_POLICY = '/etc/containers/policy.json';

/** A policy, and the file that it is from. */
export interface PolicyFile {
  readonly file: string;
  readonly policy: Policy;
}

export interface PolicyPlaces {
  /** The node's policy; empty: {@link DEFAULT_POLICY}, where that is. */
  readonly signaturePolicy: string;
  /** In it are the policies of namespaces, NAMESPACE.json. */
  readonly signaturePolicyDir: string;
}

/** The policies of a node. A file is looked at each time, and read where it has changed. */
export class PolicyFiles {
  readonly #places: () => PolicyPlaces;
  readonly #parseName: ParseName;
  readonly #read = new Map<string, { readonly stamp: string; readonly policy: Policy }>();

  constructor(places: () => PolicyPlaces, parseName: ParseName) {
    this.#places = places;
    this.#parseName = parseName;
  }

  /** The policy of a namespace, where it has one. @throws SignatureValidationFailed for a wrong file, InvalidArgument for a namespace that is none. */
  async ofNamespace(namespace: string): Promise<PolicyFile | undefined> {
    if (namespace === '') return undefined;
    if (/[/\0]/.test(namespace) || namespace === '.' || namespace === '..')
      throw new DaemonError('InvalidArgument', `sandbox_config.metadata.namespace is ${JSON.stringify(namespace)}, must have no "/"`);
    return await this.#load(join(this.#places().signaturePolicyDir, `${namespace}.json`), 'may be missing');
  }

  /** The node's policy; undefined where it has none. @throws SignatureValidationFailed for a wrong file. */
  async ofNode(): Promise<PolicyFile | undefined> {
    const { signaturePolicy } = this.#places();
    return signaturePolicy === '' ? await this.#load(DEFAULT_POLICY, 'may be missing') : await this.#load(signaturePolicy, 'must be there');
  }

  /** Whether any namespace has a policy of its own. */
  async haveNamespaces(): Promise<boolean> {
    try {
      return (await readdir(this.#places().signaturePolicyDir)).some((name) => name.endsWith('.json'));
    } catch {
      return false; // what cannot be read is told where a namespace's own is looked for
    }
  }

  async #load(file: string, missing: 'may be missing' | 'must be there'): Promise<PolicyFile | undefined> {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
      const stamp = [dev, ino, size, mtimeNs, ctimeNs].join(':');
      const known = this.#read.get(file);
      if (known?.stamp === stamp) return { file, policy: known.policy };
      const policy = readPolicy((await readTrustedFile(file)).toString('utf8'), this.#parseName);
      this.#read.set(file, { stamp, policy });
      return { file, policy };
    } catch (error) {
      this.#read.delete(file);
      if (missing === 'may be missing' && hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw new DaemonError('SignatureValidationFailed', `policy ${file}: ${messageOf(error)}`, { cause: error });
    }
  }
}
