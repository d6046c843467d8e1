/** The images of a cluster, made of programs built here (programs.ts) and of this machine's own, since none can be pulled. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { documentsOf, makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageLayer, ImageRunConfig } from '../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';
import { pauseProgram } from '../../src/podsandbox/pause-program.ts';
import type { TestRegistry } from '../support/registry.ts';
import { baseLayers, directory, file, programsLayer } from './image-parts.ts';
import { clusterProgram, kubernetesSources } from './programs.ts';
import type { ProgramName } from './programs.ts';

/** What the cluster itself and the operator's cases run. */
export const CLUSTER_IMAGES = {
  busybox: 'docker.io/library/busybox:1',
  coredns: 'registry.k8s.io/coredns/coredns:1',
} as const;
/** Registries of all names; the local one stands for them. */
export const MIRRORED = ['docker.io', 'registry.k8s.io'] as const;
/** Where specs that want a registry start agnhost's, without TLS. */
export const SPEC_REGISTRY = 'localhost:5000';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const NAME = /^([^/]+)\/(.+):([^:/]+)$/;

interface Made {
  readonly layers: readonly ImageLayer[];
  readonly config: ImageRunConfig;
}

/** A web server; process 1 gets no signal that it does not handle. */
const NGINX = 'httpd -f -v -p 80 -h /usr/share/nginx/html & trap "kill $!; exit 0" TERM QUIT; wait';
/** As the specs of image volumes want to read it in upstream's agnhost. */
const OS_RELEASE = 'NAME="Alpine Linux"\nID=alpine\n';

/** Makes images by the last part of their repository's name. */
export class ImageMaker {
  readonly #tell: (line: string) => void;
  readonly #makers: Readonly<Record<string, () => Promise<Made>>> = {
    busybox: () => this.#onBase([], { Cmd: ['sh'] }),
    coredns: () => this.#alone('coredns', 'coredns'),
    pause: async () => ({
      layers: [await makeLayer([file('pause', pauseProgram(process.arch), 0o755)])],
      config: { Entrypoint: ['/pause'] },
    }),
    agnhost: () => this.#onAgnhost([], { Cmd: ['pause'] }),
    kitten: () => this.#pages('kitten'),
    nautilus: () => this.#pages('nautilus'),
    nginx: () => this.#page(),
    nonewprivs: async () => this.#onBase([await this.#program('nnp', 'usr/local/bin/nnp', 0o6755)], { Cmd: ['nnp'] }),
    nonroot: () => this.#onBase([], { Cmd: ['sh'], User: '1234' }),
    'glibc-dns-testing': async () => this.#onBase([await programsLayer(['dig', 'getent'])], { Cmd: ['sh'] }),
    etcd: async () => this.#onBase([await this.#program('etcd', 'usr/local/bin/etcd')], { Cmd: ['etcd'] }),
    'sample-apiserver': async () =>
      this.#onBase([await this.#program('sample-apiserver', 'sample-apiserver')], { Entrypoint: ['/sample-apiserver'] }),
  };

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** Those of these names that are made here, for registries that ours stands for. */
  ofThese(names: readonly string[]): string[] {
    return names.filter((name) => {
      const [, registry = '', repository = ''] = NAME.exec(name) ?? [];
      return MIRRORED.some((mirrored) => mirrored === registry) && basename(repository) in this.#makers;
    });
  }

  /** Makes and pushes these, by their full names. Two tags of one name are two images. */
  async push(registry: TestRegistry, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const [, , repository = '', tag = ''] = NAME.exec(name) ?? [];
      const make = this.#makers[basename(repository)];
      if (make === undefined) throw new Error(`cluster images: ${name} is not among those that are made here`);
      const { layers, config } = await make();
      await registry.push({ layers: [...layers, await makeLayer([file('image-tag', tag)])], config }, repository, [tag]);
    }
  }

  async #program(name: ProgramName, path: string, mode = 0o755): Promise<ImageLayer> {
    const { path: program } = await clusterProgram(name, this.#tell);
    return makeLayer([file(path, await readFile(program), mode)]);
  }

  /** A static program and nothing else. */
  async #alone(name: ProgramName, path: string): Promise<Made> {
    return { layers: [await this.#program(name, path)], config: { Env: [PATH], Entrypoint: [`/${path}`] } };
  }

  async #onBase(layers: readonly ImageLayer[], config: ImageRunConfig): Promise<Made> {
    this.#base ??= baseLayers();
    return { layers: [...(await this.#base), ...layers], config: { Env: [PATH], ...config } };
  }
  #base: Promise<readonly ImageLayer[]> | undefined;

  async #onAgnhost(layers: readonly ImageLayer[], config: ImageRunConfig): Promise<Made> {
    this.#agnhost ??= this.#agnhostLayers();
    return this.#onBase([...(await this.#agnhost), ...layers], { Entrypoint: ['/agnhost'], ...config });
  }
  #agnhost: Promise<readonly ImageLayer[]> | undefined;

  /** test/images/agnhost/Dockerfile; without its iperf and CoreDNS, which no conformance spec runs. */
  async #agnhostLayers(): Promise<readonly ImageLayer[]> {
    const porter = join(await kubernetesSources(), 'test/images/agnhost/porter');
    const certificates = ['localhost.crt', 'localhost.key'].map(async (name) => file(name, await readFile(join(porter, name))));
    const again = { path: 'agnhost-2', kind: 'hardlink', linkTarget: 'agnhost', mode: 0o755 } as const;
    const { path } = await clusterProgram('agnhost', this.#tell);
    const own = [file('agnhost', await readFile(path), 0o755), again, ...(await Promise.all(certificates))];
    const places = [directory('uploads'), file('etc/os-release', OS_RELEASE), ...(await this.#servedImage())];
    return [await programsLayer(['curl', 'dig', 'getent', 'ip', 'nc=nc.openbsd', 'socat', 'ss']), await makeLayer([...own, ...places])];
  }

  /** What its `fake-registry-server` serves: fakeregistryserver/prepare_registry.sh. */
  async #servedImage(): Promise<TarEntry[]> {
    const [root, pause] = ['var/registry/pause', await this.#makers['pause']?.()];
    if (pause === undefined) throw new Error('cluster images: there is no pause to be served');
    const { config, manifest, imageId, manifestDigest } = documentsOf({ name: '', ...pause }, 'docker');
    const kept = (kind: string, digest: string, data: Uint8Array): TarEntry =>
      file(`${root}/${kind}/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`, data);
    return [
      file(`${root}/manifests/testing`, `${manifestDigest}\n`),
      kept('manifests', manifestDigest, manifest),
      kept('blobs', imageId, config),
      ...pause.layers.map(({ digest, blob }) => kept('blobs', digest, blob)),
    ];
  }

  /** A picture that agnhost serves, with what says which. */
  async #pages(name: string): Promise<Made> {
    const folder = join(await kubernetesSources(), 'test/images', name, 'html');
    const pages = ['data.json', `${name}.jpg`].map(async (path) => file(path, await readFile(join(folder, path))));
    return this.#onAgnhost([await makeLayer(await Promise.all(pages))], { Cmd: ['test-webserver'] });
  }

  /** In the place of nginx: specs want a server on port 80. */
  async #page(): Promise<Made> {
    const page = [directory('usr/share/nginx/html'), file('usr/share/nginx/html/index.html', '<title>Welcome to nginx!</title>\n')];
    return this.#onBase([await makeLayer(page)], { Cmd: ['sh', '-c', NGINX], ExposedPorts: { '80/tcp': {} } });
  }
}
