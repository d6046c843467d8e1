/** A runtime on a node that is to be moved (docs/moving.md), in its own places, which are covered in this mount namespace. */
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import type { TestDaemon } from '../support/daemon.ts';
import { IMAGES, writeArchive } from '../support/test-image.ts';
import { configureContainerd, CONTAINERD } from './old-containerd.ts';
import { configureCrio, CRIO } from './old-crio.ts';
import type { OldRuntimeKind } from './old-kind.ts';
import { coverPlaces } from './places.ts';

const LIMITS = { timeout: 60_000, killSignal: 'SIGKILL' } as const;
const PROGRAM = join(import.meta.dirname, '../../bin/podwright');
const OLD_RUNTIMES = { containerd: CONTAINERD, crio: CRIO } as const;

export type OldRuntimeName = keyof typeof OLD_RUNTIMES;

/** The places of a runtime that a test covers, and so must be there. */
export function placesOf(name: OldRuntimeName): readonly string[] {
  return OLD_RUNTIMES[name].places;
}

export class OldRuntime {
  readonly kind: OldRuntimeKind;
  readonly #name: OldRuntimeName;
  readonly #program: string;
  readonly #directory: string;
  #uncover = (): Promise<void> => Promise.resolve();

  constructor(name: OldRuntimeName, program: string, directory: string) {
    this.kind = OLD_RUNTIMES[name];
    this.#name = name;
    this.#program = program;
    this.#directory = directory;
  }

  get configFile(): string {
    return join(this.#directory, this.kind.configFile);
  }

  /** Its configuration: the daemon's network, the cluster's mirrors. @returns the socket, and how it is started */
  async configure(daemon: TestDaemon, cniBinDirs: readonly string[]): Promise<{ socket: string; command: string }> {
    this.#uncover = await coverPlaces(join(this.#directory, 'places'), this.kind.places);
    const made = await writeArchive(['layers', 'busybox'], 'docker');
    const archive = join(this.#directory, 'images.tar');
    await execa('mv', [made.path, archive]);
    await made.remove();
    const images = [IMAGES.layers, IMAGES.busybox];
    const parts = { directory: this.#directory, program: this.#program, daemon, cniBinDirs, archive, images };
    const command = await (this.#name === 'crio' ? configureCrio(parts) : configureContainerd(parts));
    return { socket: this.kind.socket, command };
  }

  async uncover(): Promise<void> {
    await this.#uncover();
  }

  /**
   * Moves the node's images, as docs/moving.md has it.
   * @param flags of our command, which takes the archives
   * @returns the names of those that have come, and what was said of the rest
   */
  async moveImages(flags: readonly string[]): Promise<{ moved: readonly string[]; refused: readonly string[] }> {
    const env = {
      PATH: `${dirname(this.#program)}:${process.env['PATH'] ?? ''}`,
      ARCHIVE: join(this.#directory, 'image.tar'),
      LOAD: [PROGRAM, 'image', 'load', ...flags].join(' '),
    };
    const { stdout, stderr } = await execa('sh', ['-c', this.kind.moveImages], { ...LIMITS, timeout: 300_000, env });
    const lines = (text: string): string[] =>
      text.split('\n').filter((line) => line !== '' && !/^loading |level=(info|warning)/.test(line));
    return { moved: lines(stdout), refused: lines(stderr) };
  }
}
