/** The runtime under test: a daemon of ours, or that of $SOCKET, which $PEER starts in the cluster's namespaces. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ensureDir, pathExists } from 'fs-extra/esm';
import { TestDaemon } from '../support/daemon.ts';
import { findProgram } from '../support/find-program.ts';
import type { TestRegistry } from '../support/registry.ts';
import { removeCgroups } from '../support/sweep.ts';
import { ablestRuntime, userRuntimes } from '../support/user-namespaces.ts';
import { MIRRORED, SPEC_REGISTRY } from './images.ts';
import { endRest } from './places.ts';
import { Component } from './process.ts';

export interface Runtime {
  /** "unix:///...". */
  readonly endpoint: string;
  /** Ours; a peer is neither killed nor looked into. */
  readonly daemon: TestDaemon | undefined;
  /** Runtime handlers with a RuntimeClass of the same name. */
  readonly handlers: readonly string[];
  /** Flags that give the daemon those handlers, and any command of ours. */
  readonly handlerFlags: readonly string[];
  readonly cgroupRoot: string;
  readonly destroy: () => Promise<void>;
  /** The process of a peer. */
  readonly component?: Component;
}

/** What is to be set for a run on another runtime. */
export interface Peer {
  /** Its CRI socket, as "unix:///run/peer.sock". */
  readonly socket: string;
  /** A shell command that starts it and stays; `$REGISTRY` is the registry that it must have as mirror, `$PEER_DIRECTORY` is for all its files. */
  readonly command: string;
}

/** @throws where only one of the two is set */
export function peerOfEnvironment(): Peer | undefined {
  const { SOCKET: socket, PEER: command } = process.env;
  if (socket === undefined && command === undefined) return undefined;
  if (socket === undefined || command === undefined || !socket.startsWith('unix:///'))
    throw new Error('SOCKET=unix:///PATH and PEER=COMMAND go together: the command starts the runtime that listens there');
  return { socket, command };
}

export async function startRuntime(registry: TestRegistry, peer: Peer | undefined, directory: string): Promise<Runtime> {
  return peer === undefined ? ours(registry) : others(registry, peer, directory);
}

async function ours(registry: TestRegistry): Promise<Runtime> {
  const config = await registry.daemonConfig({
    ...Object.fromEntries(MIRRORED.map((name) => [name, registry.host])),
    [SPEC_REGISTRY]: SPEC_REGISTRY,
  });
  const crun = userRuntimes.find(({ name }) => name === 'crun')?.path ?? (await findProgram('crun'));
  const handlers = { runc: ablestRuntime, ...(crun === undefined ? {} : { crun }) };
  const args = Object.entries(handlers).flatMap(([name, path]) => ['--runtime', `${name}=${path}`]);
  const daemon = await TestDaemon.start({ config, images: [], args });
  return {
    endpoint: `unix://${daemon.socket}`,
    daemon,
    handlers: Object.keys(handlers),
    handlerFlags: args,
    cgroupRoot: daemon.cgroup,
    destroy: () => daemon.destroy(),
  };
}

async function others(registry: TestRegistry, { socket, command }: Peer, directory: string): Promise<Runtime> {
  const own = join(directory, 'peer');
  await ensureDir(own);
  const component = new Component({
    name: 'the peer',
    program: 'sh',
    args: ['-c', command],
    env: { REGISTRY: registry.host, PEER_DIRECTORY: own },
    logFile: join(directory, 'peer.log'),
    isReady: () => pathExists(socket.replace(/^unix:\/\//, '')),
  });
  await component.start();
  const cgroupRoot = `/pw-peer-${randomBytes(4).toString('hex')}`;
  const destroy = async (): Promise<void> => {
    await component.stop('SIGKILL');
    await endRest(own);
    await removeCgroups(cgroupRoot);
  };
  return { endpoint: socket, daemon: undefined, handlers: [], handlerFlags: [], cgroupRoot, destroy, component };
}
