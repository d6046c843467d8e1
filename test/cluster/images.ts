/**
 * The images of a cluster, made of programs built here (programs.ts) and of this machine's own, since none can be pulled.
 *
 * The base is Debian's busybox with bash for its sh, which keeps variables such as `data-1`, and GNU wget.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { busyboxLayer, librariesOf, makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageLayer, ImageRunConfig } from '../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';
import { findProgram } from '../support/find-program.ts';
import type { TestRegistry } from '../support/registry.ts';
import { clusterProgram } from './programs.ts';
import type { ProgramName } from './programs.ts';

/** What the cluster itself and the operator's cases run. */
export const CLUSTER_IMAGES = {
  busybox: 'docker.io/library/busybox:1',
  coredns: 'registry.k8s.io/coredns/coredns:1',
} as const;
/** Registries of all names; the local one stands for them. */
export const MIRRORED = ['docker.io', 'registry.k8s.io'] as const;

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Made {
  readonly layers: readonly ImageLayer[];
  readonly config: ImageRunConfig;
}

const file = (path: string, data: string | Uint8Array, mode = 0o644): TarEntry => ({ path, kind: 'file', data, mode });
const directory = (path: string, mode = 0o755): TarEntry => ({ path, kind: 'directory', mode });

/** Programs of this machine with their libraries; later ones take the place of busybox's. */
async function programsLayer(names: readonly string[], extra: readonly TarEntry[] = []): Promise<ImageLayer> {
  const entries = new Map<string, TarEntry>();
  for (const name of names) {
    const path = await findProgram(name);
    if (path === undefined) throw new Error(`cluster images: ${name} is not in PATH (scripts/install-deps.sh cluster installs it)`);
    // Where /bin is a link to /usr/bin there is one of each, and the image has both directories.
    entries.set(`bin/${name}`, file(`bin/${name}`, await readFile(path), 0o755));
    for (const library of await librariesOf(path)) entries.set(library.slice(1), file(library.slice(1), await readFile(library), 0o755));
  }
  return makeLayer([...entries.values(), ...extra]);
}

/** Makes images by the last part of their repository's name. */
export class ImageMaker {
  readonly #tell: (line: string) => void;
  readonly #makers: Readonly<Record<string, () => Promise<Made>>> = {
    busybox: () => this.#onBase([], { Cmd: ['sh'] }),
    coredns: () => this.#alone('coredns', 'coredns'),
  };

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** Makes and pushes these, by their full names. */
  async push(registry: TestRegistry, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const [, repository = '', tag = ''] = /^[^/]+\/(.+):([^:/]+)$/.exec(name) ?? [];
      const make = this.#makers[basename(repository)];
      if (make === undefined) throw new Error(`cluster images: ${name} is not among those that are made here`);
      await registry.push(await make(), repository, [tag]);
    }
  }

  async #program(name: ProgramName, path: string): Promise<ImageLayer> {
    const { path: program } = await clusterProgram(name, this.#tell);
    return makeLayer([file(path, await readFile(program), 0o755)]);
  }

  /** A static program and nothing else. */
  async #alone(name: ProgramName, path: string): Promise<Made> {
    return { layers: [await this.#program(name, path)], config: { Env: [PATH], Entrypoint: [`/${path}`] } };
  }

  async #onBase(layers: readonly ImageLayer[], config: ImageRunConfig): Promise<Made> {
    this.#base ??= makeBase();
    return { layers: [...(await this.#base), ...layers], config: { Env: [PATH], ...config } };
  }
  #base: Promise<readonly ImageLayer[]> | undefined;
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = 'root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n';

async function makeBase(): Promise<readonly ImageLayer[]> {
  const sh = { path: 'bin/sh', kind: 'hardlink', linkTarget: 'bin/bash', mode: 0o755 } as const;
  const rest = [file('etc/passwd', PASSWD), file('etc/group', GROUP), directory('usr/sbin'), directory('usr/local/bin')];
  return [await busyboxLayer(), await programsLayer(['bash', 'wget'], [sh, ...rest])];
}
