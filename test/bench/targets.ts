/** What is compared: runtimes that the benchmark starts, or sockets of running ones. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../src/cli/cri-client.ts';
import { findProgram } from '../../src/linux/spawn.ts';
import { TestDaemon } from '../support/daemon.ts';
import { removeCgroups } from '../support/sweep.ts';
import { Peer } from './peers.ts';
import type { Parts, PeerKind } from './peers.ts';
import { CriPod } from './pod-life.ts';
import type { CriHost, MadePod, PodKind, PodMaker } from './pod-life.ts';
import { Times } from './times.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const START_TIMEOUT_MS = 120_000;
const POLL_MS = 5;
export const USAGE_OF_TARGETS = 'NAME=podwright[:DIST], NAME=containerd:FILE, NAME=crio:FILE or NAME=unix:SOCKET[,PID]';

/** A runtime, and what was measured of it. */
export interface Target extends CriHost, PodMaker {
  readonly name: string;
  readonly kind: 'podwright' | PeerKind | 'unix';
  readonly times: Times;
  /** All of its processes but itself are below this one; undefined where only its socket is known. */
  readonly rootPid: number | undefined;
  /** The daemon's own process. */
  readonly pid: number | undefined;
  /** Ours only. */
  readonly daemon?: TestDaemon;
  /** Kills it and starts it again; resolves with its first answer. */
  readonly restart?: () => Promise<void>;
  /** Takes away the cgroups of pods that are gone, as the kubelet does. */
  tidy(): Promise<void>;
  end(): Promise<void>;
}

/** The parts of this machine, or those that the tests' variables name. */
export function partsOfMachine(registry: string | undefined): Parts {
  const { PODWRIGHT_TEST_RUNTIME: runtime, PODWRIGHT_TEST_CONMON: conmon, PODWRIGHT_TEST_CNI_BIN: plugins } = process.env;
  return {
    runtime: findProgram(runtime ?? 'runc'),
    conmon: findProgram(conmon ?? 'conmon'),
    cniBinDirs: (plugins ?? '/opt/cni/bin:/usr/lib/cni').split(':'),
    registry,
  };
}

export interface StartOptions {
  readonly parts: Parts;
  readonly image: string;
  readonly logDirectory: string;
}

/** Starts what `text` says. @throws where it is not one of {@link USAGE_OF_TARGETS} */
export async function startTarget(text: string, options: StartOptions): Promise<Target> {
  const [, name = '', kind = '', rest = ''] = /^([^=]+)=(podwright|containerd|crio|unix)(?::(.+))?$/.exec(text) ?? [];
  const logDirectory = join(options.logDirectory, name);
  const host = { name, times: new Times(), image: options.image, logDirectory };
  if (kind === 'podwright') return startOurs(host, rest === '' ? join(REPOSITORY, 'dist') : rest, options.parts.registry);
  if ((kind === 'containerd' || kind === 'crio') && rest !== '') return startPeer(host, kind, rest, options.parts);
  if (kind === 'unix' && rest !== '') return openSocket(host, rest);
  throw new Error(`"${text}" must be ${USAGE_OF_TARGETS}`);
}

type Host = Pick<Target, 'name' | 'times' | 'image' | 'logDirectory'>;

async function startOurs(host: Host, dist: string, registry: string | undefined): Promise<Target> {
  const registriesConf = `${host.logDirectory}.conf`;
  if (registry !== undefined) await writeFile(registriesConf, `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`);
  const daemon = await TestDaemon.start({
    args: ['--log-level', 'info'],
    env: { PODWRIGHT_DIST: dist },
    images: registry === undefined ? ['busybox'] : [],
    isHeldUp: true,
    ...(registry !== undefined && { config: `registries_conf = "${registriesConf}"\nregistries_conf_dir = "${host.logDirectory}.d"\n` }),
  });
  const target: Target = {
    ...host,
    kind: 'podwright',
    daemon,
    cgroup: daemon.cgroup,
    get client() {
      return daemon.client;
    },
    get pid() {
      return daemon.pid;
    },
    get rootPid() {
      return daemon.pid;
    },
    runPod: async (kind: PodKind): Promise<MadePod> => CriPod.run(target, kind),
    restart: async () => {
      await daemon.kill9();
      await daemon.launch();
      const end = Date.now() + START_TIMEOUT_MS;
      while (
        !(await daemon.runtime.version({}, { timeoutMs: 5000 }).then(
          () => true,
          () => false,
        ))
      ) {
        // prettier-ignore
        if (Date.now() > end || !daemon.isRunning) throw new Error(`${host.name} does not answer: ${await daemon.logTail()}`);
        await sleep(POLL_MS);
      }
    },
    tidy: async () => removeCgroups(daemon.cgroup),
    end: async () => daemon.destroy(),
  };
  return target;
}

async function startPeer(host: Host, kind: PeerKind, program: string, parts: Parts): Promise<Target> {
  if (parts.registry === undefined) throw new Error('a peer pulls its image: docker-registry must be in PATH');
  const peer = await Peer.start(kind, program, parts);
  const target: Target = {
    ...host,
    kind,
    cgroup: peer.cgroup,
    get client() {
      return peer.client;
    },
    get pid() {
      return peer.pid;
    },
    get rootPid() {
      return peer.rootPid;
    },
    runPod: async (podKind: PodKind): Promise<MadePod> => CriPod.run(target, podKind),
    restart: async () => {
      await peer.kill9();
      await peer.launch();
    },
    tidy: async () => removeCgroups(peer.cgroup),
    end: async () => peer.end(),
  };
  return target;
}

function openSocket(host: Host, text: string): Target {
  const [socket = '', pid] = text.split(',');
  const client = connect(socket);
  const cgroup = `/bench-${randomBytes(4).toString('hex')}-${host.name}`;
  const number = pid === undefined ? undefined : Number(pid);
  const target: Target = {
    ...host,
    kind: 'unix',
    client,
    cgroup,
    pid: number,
    rootPid: number,
    runPod: async (kind: PodKind): Promise<MadePod> => CriPod.run(target, kind),
    tidy: async () => removeCgroups(cgroup),
    end: () => {
      client.close();
      return Promise.resolve();
    },
  };
  return target;
}
