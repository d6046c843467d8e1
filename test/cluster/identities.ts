/** The certificates of a cluster and the kubeconfigs that carry them: one authority signs all, each component is a user of its own. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDir, writeJson } from 'fs-extra/esm';
import { extension, makeCertificate } from '../support/certificates.ts';
import type { Extension, MadeCertificate } from '../support/certificates.ts';

const SERVER = '1.3.6.1.5.5.7.3.1';
const CLIENT = '1.3.6.1.5.5.7.3.2';
const SIGNS = extension.keyUsage(0x80);

/** Users as Kubernetes' own roles know them: the group is the certificate's organization. */
const USERS = {
  admin: { user: 'kubernetes-admin', group: 'system:masters' },
  'controller-manager': { user: 'system:kube-controller-manager' },
  scheduler: { user: 'system:kube-scheduler' },
  proxy: { user: 'system:kube-proxy' },
  'apiserver-kubelet-client': { user: 'kube-apiserver-kubelet-client', group: 'system:masters' },
  'front-proxy-client': { user: 'front-proxy-client' },
} as const;

export type UserName = keyof typeof USERS | 'kubelet';

export interface IdentityOptions {
  readonly directory: string;
  readonly node: { readonly name: string; readonly address: string };
  /** The first address of the services' range, which pods reach the API server by. */
  readonly serviceAddress: string;
  /** "https://10.99.0.2:6443". */
  readonly server: string;
}

/** Files below one directory; `NAME.crt` and `NAME.key`. */
export class Identities {
  readonly #options: IdentityOptions;
  readonly #authority: MadeCertificate;

  private constructor(options: IdentityOptions) {
    this.#options = options;
    this.#authority = makeCertificate({
      subject: 'podwright-test-cluster',
      extensions: [extension.authority(true), extension.keyUsage(0x04)],
    });
  }

  static async make(options: IdentityOptions): Promise<Identities> {
    const made = new Identities(options);
    await ensureDir(options.directory);
    await made.#write('ca', made.#authority);
    for (const [name, { user, ...rest }] of Object.entries(USERS)) await made.#client(name, user, 'group' in rest ? rest.group : undefined);
    await made.#client('kubelet', `system:node:${options.node.name}`, 'system:nodes');
    const { node, serviceAddress } = options;
    const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];
    await made.#server('apiserver', [...names.map((name) => `dns:${name}`), ...[serviceAddress, node.address, '127.0.0.1'].map(ip)]);
    await made.#server('kubelet-server', [`dns:${node.name}`, ip(node.address), ip('127.0.0.1')]);
    await made.#serviceAccountKeys();
    return made;
  }

  /** `NAME.crt`, `NAME.key`, `sa.pub` or `NAME.kubeconfig`. */
  file(name: string): string {
    return join(this.#options.directory, name);
  }

  kubeconfig(user: UserName): string {
    return this.file(`${user}.kubeconfig`);
  }

  async #client(name: string, user: string, group: string | undefined): Promise<void> {
    const organization = group === undefined ? {} : { organization: group };
    const extensions = [SIGNS, extension.purposes(CLIENT)];
    await this.#write(name, makeCertificate({ subject: user, ...organization, issuer: this.#authority, extensions }));
    await writeJson(this.file(`${name}.kubeconfig`), {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.#options.server, 'certificate-authority': this.file('ca.crt') } }],
      users: [{ name, user: { 'client-certificate': this.file(`${name}.crt`), 'client-key': this.file(`${name}.key`) } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: name } }],
      'current-context': 'test',
    });
  }

  async #server(name: string, alternatives: readonly string[]): Promise<void> {
    const extensions: Extension[] = [SIGNS, extension.purposes(SERVER), extension.names(alternatives)];
    await this.#write(name, makeCertificate({ subject: name, issuer: this.#authority, extensions }));
  }

  async #write(name: string, made: MadeCertificate): Promise<void> {
    await writeFile(this.file(`${name}.crt`), made.pem);
    await writeFile(this.file(`${name}.key`), made.key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  }

  /** Tokens of service accounts are signed by a key of their own. */
  async #serviceAccountKeys(): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(this.file('sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(this.file('sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  }
}

/** As `extension.names` wants an address: in hex. */
function ip(address: string): string {
  return `ip:${Buffer.from(address.split('.').map(Number)).toString('hex')}`;
}
