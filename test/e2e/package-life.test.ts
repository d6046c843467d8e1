/**
 * The Debian package on this machine's own dpkg, in a copy of its root that is thrown away: installed, removed and purged, with a pod that
 * stays.
 */
// long: 40 s
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { pathExists } from 'fs-extra/esm';
import { killGroup, spawn, type Child } from '../../src/linux/spawn.ts';
import { VERSION } from '../../src/base/version.ts';
import { connect } from '../../src/cli/cri-client.ts';
import { DEMO_IMAGE_NAME, demoImage, ociArchive } from '../../scripts/make-demo-image.ts';
import type { PodHost } from '../support/pods.ts';
import { removePod, runContainer, runPod, until } from '../support/pods.ts';
import { sweep } from '../support/sweep.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const DEPENDENCIES = ['runc', 'conmon', 'containernetworking-plugins', 'iptables'];
const STARTS_MS = 60_000;

async function dependenciesLack(): Promise<string | false> {
  const { stdout, failed } = await execa('dpkg-query', ['-W', '-f', '${db:Status-Status}\\n', ...DEPENDENCIES], { reject: false });
  const areThere = !failed && stdout.split('\n').every((line) => line === 'installed');
  return areThere ? false : `not all of ${DEPENDENCIES.join(', ')} are installed by dpkg here`;
}

/**
 * Makes a copy of the root in a mount namespace of its own, where no mount is seen outside, and makes it the root there: a runtime inside wants
 * to move its root, which it cannot in a chroot. Its argument has `memory`, `root` and `pods`; an overlay cannot be the upper directory of
 * another; `pods`, where a kubelet makes files, is under its own path.
 */
const KEEP = `set -e
memory="$1/memory" root="$1/root"
mount -t tmpfs tmpfs "$memory"
mkdir "$memory/upper" "$memory/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$memory/upper,workdir=$memory/work" "$root"
for place in proc sys dev; do mount --rbind "/$place" "$root/$place"; done
for place in run tmp var/lib/podwright; do mkdir -p "$root/$place"; mount -t tmpfs tmpfs "$root/$place"; done
mkdir -p "$root$1/pods"
mount --bind "$1/pods" "$root$1/pods"
cd "$root"
mkdir -p old
pivot_root . old
umount -l /old
mount --make-rshared /
echo ready
exec sleep infinity`;

/** A copy of this machine's root, of which nothing reaches the machine: files are written to memory. */
class Copy {
  readonly directory: string;
  readonly #keeper: Child;
  #end: (() => Promise<void>) | undefined;

  private constructor(directory: string, keeper: Child) {
    this.directory = directory;
    this.#keeper = keeper;
  }

  /** The root, as it is seen from outside. */
  get root(): string {
    return `/proc/${this.#keeper.pid}/root`;
  }

  get socket(): string {
    return join(this.root, 'run/podwright/podwright.sock');
  }

  static async make(directory: string): Promise<Copy> {
    for (const each of ['memory', 'root', 'pods']) await mkdir(join(directory, each));
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', KEEP, 'sh', directory];
    const keeper = spawn('unshare', { args, stdio: ['ignore', 'pipe', 'ignore'], newSession: true });
    const ended = keeper.exit.then(() => assert.fail('the copy could not be made'));
    await Promise.race([once(keeper.pipes[1] ?? assert.fail(), 'data'), ended]);
    ended.catch(() => undefined);
    return new Copy(directory, keeper);
  }

  /** Ends the daemon, and lets go of the copy. */
  async discard(): Promise<void> {
    await this.stop();
    killGroup(this.#keeper.pid);
    await this.#keeper.exit;
  }

  /** Runs a program in it to its end. */
  async run(program: string, ...args: readonly string[]): Promise<{ readonly all: string; readonly exitCode: number | undefined }> {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' };
    const { all, exitCode } = await execa('nsenter', this.#inside(program, ...args), { env, extendEnv: false, all: true, reject: false });
    return { all, exitCode };
  }

  async mustRun(program: string, ...args: readonly string[]): Promise<string> {
    const { all, exitCode } = await this.run(program, ...args);
    assert.equal(exitCode, 0, `${program} ${args.join(' ')}:\n${all}`);
    return all;
  }

  async serve(): Promise<void> {
    const daemon = execa('nsenter', this.#inside('/usr/bin/podwright', 'serve'), { reject: false, all: true, buffer: false });
    daemon.all.resume();
    this.#end = async () => {
      daemon.kill('SIGTERM');
      await daemon;
    };
    await until('the daemon serves', async () => pathExists(this.socket), STARTS_MS);
  }

  #inside(...command: readonly string[]): string[] {
    return ['--target', String(this.#keeper.pid), '--mount', ...command];
  }

  async stop(): Promise<void> {
    await this.#end?.();
    this.#end = undefined;
  }

  /** What is there of the package, and of what its daemon has made. */
  async left(): Promise<string> {
    const places = ['/etc/podwright', '/etc/crictl.yaml', '/etc/cni/net.d/10-podwright-bridge.conflist', '/usr/lib/podwright', '/usr/share/podwright', '/usr/share/doc/podwright', '/usr/bin/podwright', '/run/podwright', '/run/crio', '/run/nri', '/var/lib/cni/networks/podwright']; // prettier-ignore
    const { all } = await this.run('sh', '-c', `ls -d ${places.join(' ')} 2>/dev/null; ls -A /var/lib/podwright`);
    return all;
  }
}

/** proc_pid_stat(5), field 22: with the pid it names a process for good. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

test(
  'a pod goes on when the package is removed, keeps it from being purged, is found again, and when it is gone a purge leaves nothing',
  { timeout: 180_000, skip: await dependenciesLack() },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pw-'));
    const cgroup = `/pw-${basename(directory).slice(-6)}`;
    let copy: Copy | undefined;
    try {
      copy = await Copy.make(directory);
      await live(copy, cgroup);
    } finally {
      await copy?.discard();
      await sweep({ directory, root: directory, cgroup, bridge: 'podwright0', network: 'podwright' });
    }
  },
);

async function live(copy: Copy, cgroup: string): Promise<void> {
  const script = join(REPOSITORY, 'scripts/package.ts');
  await execa(process.execPath, [script, '--only', 'deb', '--compression', 'none', '--out', join(copy.root, 'tmp')]);
  const deb = `/tmp/podwright_${VERSION}_amd64.deb`;
  const before = await copy.left();
  await copy.mustRun('dpkg', '--install', deb);
  assert.match(await copy.mustRun('cat', '/etc/crictl.yaml'), /podwright\.sock/);
  assert.ok(!(await pathExists(join(copy.root, 'run/podwright'))), 'nothing is started');
  await copy.mustRun('cp', '/usr/share/podwright/10-podwright-bridge.conflist', '/etc/cni/net.d/');
  await copy.serve();

  await writeFile(join(copy.root, 'tmp/image.tar'), ociArchive([await demoImage()]));
  await copy.mustRun('podwright', 'image', 'load', '/tmp/image.tar');
  const host = { cgroup, logDirectory: join(copy.directory, 'pods') };
  const { pod, pid } = await withClient(copy, host, async (node) => {
    const made = await runPod(node);
    const containerId = await runContainer(node, made, ['sleep', '1000'], { image: DEMO_IMAGE_NAME });
    const { info } = await node.runtime.containerStatus({ containerId, verbose: true });
    return { pod: made, pid: (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid };
  });
  const startTime = await startTimeOf(pid);

  await copy.stop();
  assert.match(await copy.mustRun('dpkg', '--remove', 'podwright'), /podwright: containers that go on, .*: 1\./);
  assert.equal(await startTimeOf(pid), startTime);
  const refused = await copy.run('dpkg', '--purge', 'podwright');
  assert.equal(refused.exitCode, 1, refused.all);
  assert.match(refused.all, /podwright: cannot be purged while its pods are there/);
  assert.equal(await startTimeOf(pid), startTime);

  await copy.mustRun('dpkg', '--install', deb);
  await copy.serve();
  assert.match(await copy.mustRun('podwright', 'ps'), /main +running/);
  assert.equal(await startTimeOf(pid), startTime);
  await withClient(copy, host, async (node) => removePod(node, pod.id));
  await copy.stop();
  await copy.mustRun('dpkg', '--purge', 'podwright');
  assert.equal(await copy.left(), before);
  assert.match((await copy.run('dpkg', '--status', 'podwright')).all, /is not installed/);
}

async function withClient<T>(copy: Copy, host: Omit<PodHost, 'runtime'>, work: (node: PodHost) => Promise<T>): Promise<T> {
  const client = connect(copy.socket);
  try {
    return await work({ ...host, runtime: client.runtime });
  } finally {
    client.close();
  }
}
