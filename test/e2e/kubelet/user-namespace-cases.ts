import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Container, V1VolumeMount } from '@kubernetes/client-node';
import { pidOf } from '../../support/cgroup-files.ts';
import { until } from '../../support/pods.ts';
import { Skipped } from '../../support/outcomes.ts';
import type { Case } from './cases.ts';
import { container, pod, SLEEP } from './pods.ts';
import type { ContainerView, PodManifest, PodStatus } from './pods.ts';
import { containerOf, idOf } from './world.ts';
import type { World } from './world.ts';

/** Ids that the kubelet gives each pod, and where the first of them begin, as long as the node has no user named kubelet (pkg/kubelet/userns). */
const IDS_PER_POD = 65_536;
const EXIT_CODE = 7;

/** Pods with `hostUsers: false`. */
export const USER_NAMESPACE_CASES: readonly Case[] = [
  { name: 'hostUsers: false: volumes, the log and the last words of a mapped root', run: mappedRoot },
];

/** Whether the daemon says of its default runtime, as the kubelet asks it, that pods can have user namespaces. */
export async function hasUserNamespaces(world: World): Promise<boolean> {
  const { runtimeHandlers } = await world.daemon.runtime.status({ verbose: false });
  return runtimeHandlers.some(({ name, features }) => name === '' && features?.userNamespaces === true);
}

const mount = (name: string, mountPath: string, rest: Partial<V1VolumeMount> = {}): V1VolumeMount => ({ name, mountPath, ...rest });

function manifestOf(name: string, host: string): PodManifest {
  const script = `
    trap "exit 1" TERM
    echo "root writes"
    echo of root > /disk/of-root; echo of app > /disk/of-app; chown 1000:2000 /disk/of-app
    echo below > /sub/file; echo memory > /memory/file; echo host > /host/from-pod
    printf "said by the mapped root" > /dev/termination-log
    while [ ! -e /host/go ]; do sleep 0.2; done
    exit ${EXIT_CODE}`;
  const volumeMounts = [
    mount('disk', '/disk'),
    mount('disk', '/sub', { subPath: 'below' }),
    mount('memory', '/memory'),
    mount('info', '/info', { readOnly: true }),
    mount('host', '/host'),
  ];
  const main = container('main', script, {
    volumeMounts,
    readinessProbe: { exec: { command: ['test', '-e', '/host/from-pod'] }, periodSeconds: 1, timeoutSeconds: 20 },
  });
  const user = { runAsUser: 1000, runAsGroup: 2000, runAsNonRoot: true };
  const app: V1Container = container('app', SLEEP, { volumeMounts: [mount('disk', '/disk')], securityContext: user });
  const volumes = [
    { name: 'disk', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
    { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    { name: 'host', hostPath: { path: host } },
  ];
  return pod(name, [main, app], { hostUsers: false, restartPolicy: 'Never', volumes });
}

async function mappedRoot(world: World): Promise<void> {
  if (!(await hasUserNamespaces(world))) throw new Skipped('the runtime has no id-mapped mounts');
  const names = ['mapped-one', 'mapped-two'];
  const ends = await Promise.all(
    names.map(async (name) => {
      const host = join(world.hostDirectory, name);
      await mkdir(host);
      let base = 0;
      let seen: PodStatus | undefined;
      await world.withPod(manifestOf(name, host), async () => {
        seen = await world.untilReady(name);
        base = await seenInside(world, seen);
        await seenOnNode(world, seen, base, host);
        await writeFile(join(host, 'go'), '');
        await untilEnded(world, name);
      });
      await nothingLeft(world, seen?.uid ?? '');
      return base;
    }),
  );
  assert.notEqual(ends[0], ends[1], 'each pod must have ids of its own');
}

/** @returns the node's id of the pod's root. */
async function seenInside(world: World, { name }: PodStatus): Promise<number> {
  const inside = async (...command: readonly string[]): Promise<string> => (await world.run(name, 'main', ...command)).trim();
  const map = (await inside('cat', '/proc/self/uid_map')).split(/\s+/).map(Number);
  const [, base = 0] = map;
  assert.deepEqual(map, [0, base, IDS_PER_POD]);
  assert.ok(base >= IDS_PER_POD && base % IDS_PER_POD === 0, `root is ${base} on the node`);
  assert.deepEqual((await inside('cat', '/proc/self/gid_map')).split(/\s+/).map(Number), map);
  const paths = ['/disk/of-root', '/disk/of-app', '/sub/file', '/memory/file', '/host/from-pod', '/info/labels', '/etc/hosts', '/proc/1'];
  const owners = (await inside('stat', '-c', '%u:%g', ...paths)).split('\n');
  assert.deepEqual(owners, paths.map((path) => (path === '/disk/of-app' ? '1000:2000' : '0:0'))); // prettier-ignore
  assert.match(await inside('cat', '/info/labels'), new RegExp(`app="${name}"`));
  assert.match(await world.run(name, 'app', 'id'), /^uid=1000\S* gid=2000/);
  assert.match(await world.run(name, 'app', 'touch', '/disk/of-app'), /^$/);
  await assert.rejects(world.run(name, 'app', 'touch', '/disk/of-root'), /Permission denied/);
  assert.equal(await world.log(name, 'main'), 'root writes\n');
  return base;
}

/** The processes are the pod's users, the files of its volumes have the owners that they have inside. */
async function seenOnNode(world: World, seen: PodStatus, base: number, host: string): Promise<void> {
  const users = async (view: ContainerView): Promise<string | undefined> => {
    const status = await readFile(`/proc/${await pidOf(world.daemon, idOf(view))}/status`, 'utf8');
    return /^Uid:\t(\d+)\t\1\t\1\t\1$/m.exec(status)?.[1];
  };
  assert.deepEqual([await users(containerOf(seen, 'main')), await users(containerOf(seen, 'app'))], [`${base}`, `${base + 1000}`]);
  const disk = join(world.kubelet.root, 'pods', seen.uid, 'volumes/kubernetes.io~empty-dir/disk');
  const files = [join(disk, 'of-root'), join(disk, 'of-app'), join(disk, 'below/file'), join(host, 'from-pod')];
  const owners = await Promise.all(files.map(async (file) => lstat(file).then(({ uid, gid }) => `${uid}:${gid}`)));
  assert.deepEqual(owners, ['0:0', '1000:2000', '0:0', '0:0']);
}

async function untilEnded(world: World, name: string): Promise<void> {
  const ended = await world.untilPod(name, 'ended', (one) => one.containers.some((view) => view.state.terminated !== undefined));
  const { terminated } = containerOf(ended, 'main').state;
  assert.deepEqual([terminated?.exitCode, terminated?.reason, terminated?.message], [EXIT_CODE, 'Error', 'said by the mapped root']);
}

async function nothingLeft(world: World, uid: string): Promise<void> {
  const podDirectories = join(world.kubelet.root, 'pods');
  await until('the pod is gone', async () => !(await readdir(podDirectories)).includes(uid), 60_000);
  assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(uid), 'a mount of the pod is left');
}
