/** docs/moving.md, step by step, on a node of another runtime. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { execa } from 'execa';
import { remove, writeJson } from 'fs-extra/esm';
import { UndoStack } from '../../src/base/undo.ts';
import { connect } from '../../src/cli/cri-client.ts';
import type { Finding } from '../../src/nodecheck/finding.ts';
import { TestDaemon } from '../support/daemon.ts';
import { findProgram } from '../support/find-program.ts';
import type { Outcomes } from '../support/outcomes.ts';
import { tell } from '../support/outcomes.ts';
import { handlersOf } from '../support/other-runtime.ts';
import { IMAGES } from '../support/test-image.ts';
import { Cluster } from './cluster.ts';
import { NODE_NAME } from './node.ts';
import { OldRuntime } from './old-runtime.ts';
import type { OldRuntimeName } from './old-runtime.ts';
import { leftovers } from './places.ts';
import { deployment, untilRolledOut } from './workload-cases.ts';
import { container, isReady, SLEEP, statusOf, until, World } from './world.ts';
import type { Space } from './world.ts';

type Keep = (copyLogs: (copy: (from: string, to: string) => Promise<void>) => Promise<void>) => Promise<void>;
const CNI_BIN_DIRS = (process.env['PODWRIGHT_TEST_CNI_BIN'] ?? '/opt/cni/bin:/usr/lib/cni').split(':');
const PROGRAM = join(import.meta.dirname, '../../bin/podwright');
const SETTLE_MS = 15_000;

/** @param name what the node has @param program its daemon @param keep is handed what copies the logs, before all ends */
export async function moveNode(name: OldRuntimeName, program: string, outcomes: Outcomes, keep: Keep): Promise<void> {
  const undo = new UndoStack();
  let cgroupRoot = '';
  try {
    const directory = await mkdtemp(join(tmpdir(), 'podwright-moving-'));
    undo.add('remove its directory', () => remove(directory));
    // What podman or docker have on this machine is not this node's.
    const daemon = await TestDaemon.prepare({
      config: `registries_conf = "${directory}/registries.conf"\nregistries_conf_dir = "${directory}/none.d"\n`,
    });
    let ending: Promise<void> | undefined;
    const endDaemon = (): Promise<void> => (ending ??= daemon.destroy());
    undo.add('end the daemon', endDaemon);
    const old = new OldRuntime(name, program, directory);
    undo.add('uncover its places', () => old.uncover());
    const peer = await old.configure(daemon, CNI_BIN_DIRS);
    const cluster = await Cluster.start({ peer, images: [], tell });
    undo.add('end the cluster', () => cluster.destroy());
    // Its pods before the cgroups that they are in, and the kubelet before both.
    undo.add('end the daemon and its pods', endDaemon);
    undo.add('end the kubelet', () => cluster.kubelet.stop('SIGKILL'));
    ({ cgroupRoot } = cluster.runtime);
    const node = new MovingNode(new World(cluster), daemon, old, directory);
    try {
      await node.world.withNamespace('moved', async (space) => onNode(node, space, outcomes));
    } finally {
      await keep(async (copy) => {
        await cluster.copyLogs(copy);
        await copy(daemon.logFile, 'daemon.log');
      });
    }
  } finally {
    await outcomes.run('all of it ends, and nothing is left', () => end(undo, cgroupRoot));
  }
}

async function end(undo: UndoStack, cgroupRoot: string): Promise<void> {
  const failures = await undo.run();
  assert.deepEqual(failures.map(({ what, error }) => `${what}: ${String(error)}`), []); // prettier-ignore
  let left: readonly string[] = [];
  const isClean = async (): Promise<true | undefined> => {
    left = await leftovers(cgroupRoot);
    return left.length === 0 ? true : undefined;
  };
  await until('nothing is left', isClean, SETTLE_MS).catch(() => assert.fail(`left over: ${left.join(', ')}`));
}

/** Later steps stand on earlier ones: after a failure the rest is left out. */
async function onNode(node: MovingNode, space: Space, outcomes: Outcomes): Promise<void> {
  const name = node.old.kind.inCheck;
  const steps: readonly (readonly [string, () => Promise<void>])[] = [
    [`a cluster works on ${name}`, () => begin(node, space)],
    ['drained: the configuration is migrated, and the node moved; images that no registry has come along', () => movedDrained(node, space)],
    [`back again: ${name} has the node, and nothing of ours is left`, () => back(node, space)],
    [`not drained, ${name} stopped too early: check says so, and the node is moved`, () => movedUndrained(node, space)],
    [`cleaned as check advises, nothing of ${name} is told any more`, () => cleaned(node)],
  ];
  const done = new Set<string>();
  for (const [index, [name, run]] of steps.entries()) {
    if (done.size < index) outcomes.take({ name, ms: 0, skipped: 'an earlier step has failed' });
    else
      await outcomes.run(name, async () => {
        await run();
        done.add(name);
      });
  }
}

class MovingNode {
  readonly world: World;
  readonly daemon: TestDaemon;
  readonly old: OldRuntime;
  readonly directory: string;

  constructor(world: World, daemon: TestDaemon, old: OldRuntime, directory: string) {
    this.world = world;
    this.daemon = daemon;
    this.old = old;
    this.directory = directory;
  }

  get other(): NonNullable<Cluster['runtime']['component']> {
    return this.world.cluster.runtime.component ?? assert.fail('the other runtime is a peer');
  }

  /** `crictl -r OLD`. */
  async oldCrictl(...args: readonly string[]): Promise<string> {
    return this.crictl(this.old.kind.socket, ...args);
  }

  async crictl(endpoint: string, ...args: readonly string[]): Promise<string> {
    const crictl = (await findProgram('crictl', process.env['CRICTL'])) ?? assert.fail('no crictl');
    const { stdout } = await execa(crictl, ['-r', endpoint, '-t', '60s', ...args], { timeout: 120_000 });
    return stdout;
  }

  async oldHandlers(): Promise<readonly string[]> {
    const client = connect(this.old.kind.socket.replace('unix://', ''));
    try {
      return (await handlersOf(client)).filter((name) => name !== '');
    } finally {
      client.close();
    }
  }

  /** `podwright`, as on a node that has our configuration in its usual place. */
  async podwright(...args: readonly string[]): Promise<{ exitCode: number; text: string }> {
    const places = ['--config-dir', join(this.daemon.directory, 'conf.d'), '--root', this.daemon.root, '--listen', this.daemon.socket];
    try {
      return { exitCode: 0, text: await this.daemon.cli(...args, ...places) };
    } catch (error) {
      const { exitCode, stdout, stderr } = error as { exitCode?: number; stdout?: string; stderr?: string };
      if (exitCode === undefined) throw error;
      return { exitCode, text: `${stdout ?? ''}\n${stderr ?? ''}` };
    }
  }

  /** What `podwright check` says of other runtimes. */
  async othersFound(): Promise<readonly string[]> {
    const { text } = await this.podwright('check', '--json');
    const findings = JSON.parse(text.slice(0, text.lastIndexOf(']') + 1)) as readonly Finding[];
    return findings.filter(({ area }) => area === 'other runtimes').map(({ level, is }) => `${level} ${is}`);
  }

  async setEndpoint(endpoint: string): Promise<void> {
    const file = join(this.world.cluster.directory, 'components/kubelet.json');
    const configuration = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeJson(file, { ...configuration, containerRuntimeEndpoint: endpoint }, { spaces: 2 });
  }

  /** Until the kubelet has told which runtime it has now. */
  async untilOn(runtime: string): Promise<void> {
    await until(`the node is on ${runtime}, and ready`, async () => {
      const { status } = await this.world.core.readNode({ name: NODE_NAME });
      const isReadyNow = status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
      return isReadyNow && status.nodeInfo?.containerRuntimeVersion.startsWith(`${runtime}://`) === true ? true : undefined;
    });
  }

  async cordon(isCordoned: boolean): Promise<void> {
    const body = [{ op: isCordoned ? 'add' : 'replace', path: '/spec/unschedulable', value: isCordoned }];
    await this.world.core.patchNode({ name: NODE_NAME, body }, setHeaderOptions('Content-Type', PatchStrategy.JsonPatch));
  }

  /** Addresses that the network has given out, by host-local's files. */
  async addresses(): Promise<number> {
    const names = await readdir(join(this.daemon.cniDataDir, this.daemon.network)).catch(() => []);
    return names.filter((name) => /^\d+\./.test(name)).length;
  }
}

const daemonSet = (name: string): object => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace: 'moved' },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { terminationGracePeriodSeconds: 2, tolerations: [{ operator: 'Exists' }], containers: [container('main', SLEEP)] },
    },
  },
});

/** An image that lies on the node alone: a pod of it starts where the image was moved. */
async function makeLocal(space: Space): Promise<void> {
  await space.pod('local', [container('main', SLEEP, { image: IMAGES.busybox, imagePullPolicy: 'Never' })]);
  await space.untilReady('local');
}

async function untilAllReady(space: Space, ...apps: readonly string[]): Promise<V1Pod[]> {
  return until(`pods of ${apps.join(' and ')} are ready`, async () => {
    const pods = (await Promise.all(apps.map((app) => space.pods(app)))).map((each) =>
      each.filter(({ metadata }) => metadata?.deletionTimestamp === undefined),
    );
    return pods.every((each) => each.length > 0 && each.every(isReady)) ? pods.flat() : undefined;
  });
}

async function begin({ world, daemon, old }: MovingNode, space: Space): Promise<void> {
  await world.untilUp();
  await world.apps.createNamespacedDeployment({ namespace: space.name, body: deployment('web', 2, 'one') });
  await world.cluster.create([daemonSet('everywhere')]);
  await makeLocal(space);
  await untilRolledOut(space, 'web');
  await untilAllReady(space, 'everywhere');
  await space.pod('once', [container('main', SLEEP)], { restartPolicy: 'Never' });
  await space.pod('over', [container('main', 'exit 0')], { restartPolicy: 'Never' });
  await space.untilReady('once');
  await space.untilEnded('over');
  const { status } = await world.core.readNode({ name: NODE_NAME });
  assert.ok(status?.nodeInfo?.containerRuntimeVersion.startsWith(`${old.kind.inStatus}://`));
  assert.equal(daemon.isRunning, false);
}

/** Steps 2 to 8. */
async function movedDrained(node: MovingNode, space: Space): Promise<void> {
  const { world, daemon, old, directory } = node;
  const migrated = join(daemon.directory, 'conf.d/10-migrated.toml');
  const flags = [...old.kind.migrateFlags(directory), '--file', old.configFile, '-o', migrated];
  const { stdout: report } = await execa(PROGRAM, ['config', 'migrate', ...flags]);
  assert.match(report, old.kind.inReport);
  assert.equal((await node.podwright('config')).exitCode, 0);
  const before = await node.othersFound();
  assert.ok(
    before.some((line) => line.startsWith(`warning ${old.kind.inCheck === 'CRI-O' ? 'crio' : 'containerd'} runs`)),
    before.join('\n'),
  );
  await node.cordon(true);
  for (const pod of [...(await space.pods('web')), ...(await space.pods('local')), ...(await space.pods('once'))])
    await space.delete(pod.metadata?.name ?? '');
  await until('drained', async () => ((await space.pods('local')).length === 0 ? true : undefined));
  const theirs = await node.oldHandlers();
  await world.cluster.kubelet.stop();
  await node.oldCrictl('rmp', '-fa');
  assert.equal(await node.addresses(), 0, 'the other runtime has given back the addresses of its pods');
  await daemon.start();
  const { moved, refused } = await old.moveImages(['--config', join(daemon.directory, 'podwright.toml'), '--run-dir', daemon.runDir]);
  assert.ok(moved.includes(IMAGES.busybox) && moved.length > 1, `${moved.join(', ')}; ${refused.join('\n')}`);
  assert.ok(
    refused.every((line) => old.kind.refusal.test(line)),
    refused.join('\n'),
  );
  tell(`images that have come along: ${moved.join(', ')}; ${refused.length} have not`);
  await node.other.stop();
  assert.ok(theirs.includes('second'), theirs.join(', '));
  const handlers = await handlersOf(daemon.client);
  assert.deepEqual(theirs.filter((each) => !handlers.includes(each)), []); // prettier-ignore
  assert.match(await daemon.cli('status'), /RuntimeReady +yes[^]*NetworkReady +yes/);
  assert.match(await daemon.cli('image', 'resolve', 'docker.io/library/busybox:1'), /hosts\.toml|registries\.conf/);
  await node.setEndpoint(`unix://${daemon.socket}`);
  await world.cluster.kubelet.start();
  await node.untilOn('podwright');
  await node.cordon(false);
  await untilRolledOut(space, 'web');
  await untilAllReady(space, 'everywhere', 'web');
  await makeLocal(space);
  assert.equal((await space.run('local', 'main', 'echo', 'moved')).trim(), 'moved');
  tell(`check after the move: ${(await node.othersFound()).join('; ')}`);
}

async function back(node: MovingNode, space: Space): Promise<void> {
  const { world, daemon } = node;
  await world.cluster.kubelet.stop();
  await node.crictl(`unix://${daemon.socket}`, 'rmp', '-fa');
  assert.deepEqual(await node.addresses(), 0);
  assert.equal(await daemon.cli('check', '--leaks'), '');
  await daemon.stop();
  await node.setEndpoint(node.old.kind.socket);
  await node.other.start();
  await until('it answers', async () => node.oldCrictl('info').catch(() => undefined));
  await world.cluster.kubelet.start();
  await node.untilOn(node.old.kind.inStatus);
  await untilAllReady(space, 'everywhere', 'web', 'local');
  await space.pod('once', [container('main', SLEEP)], { restartPolicy: 'Never' });
  await space.untilReady('once');
}

/** In the wrong order, and mended as `podwright check` says. */
async function movedUndrained(node: MovingNode, space: Space): Promise<void> {
  const { world, daemon } = node;
  const before = new Set((await untilAllReady(space, 'everywhere', 'web', 'local', 'once')).map((pod) => statusOf(pod).containerID));
  await world.cluster.kubelet.stop();
  await node.other.stop();
  const found = await node.othersFound();
  assert.ok(
    found.some((line) => line.startsWith(`warning pods that ${node.old.kind.inCheck} has made still run: `)),
    found.join('\n'),
  );
  await node.other.start();
  await until('it answers', async () => node.oldCrictl('info').catch(() => undefined));
  await node.oldCrictl('rmp', '-fa');
  await node.other.stop();
  assert.equal(await node.addresses(), 0);
  await daemon.start();
  await node.setEndpoint(`unix://${daemon.socket}`);
  await world.cluster.kubelet.start();
  await node.untilOn('podwright');
  const isAnew = (pod: V1Pod): boolean => !before.has(statusOf(pod).containerID);
  await until('all pods are made anew', async () =>
    (await untilAllReady(space, 'everywhere', 'web', 'local')).every(isAnew) ? true : undefined,
  );
  await space.untilPod('once', 'lost, since it is to run once', (pod) => pod.status?.phase === 'Failed');
  assert.equal(statusOf(await space.read('once')).state?.terminated?.reason, 'ContainerStatusUnknown');
  assert.equal((await space.read('over')).status?.phase, 'Succeeded', 'what has ended is not run again');
}

async function cleaned(node: MovingNode): Promise<void> {
  const found = await node.othersFound();
  tell(`check finds of it: ${found.join('; ')}`);
  assert.ok(
    found.every((line) => line.startsWith('note ')),
    found.join('\n'),
  );
  assert.ok(found.some((line) => line.includes(node.old.kind.store)));
  for (const place of node.old.kind.places) for (const name of await readdir(place)) await rm(join(place, name), { recursive: true });
  await node.old.uncover();
  const left = await node.othersFound();
  const { places, inCheck } = node.old.kind;
  assert.deepEqual(left.filter((line) => [inCheck, ...places].some((each) => line.includes(each))), []); // prettier-ignore
}
