/**
 * A node of containerd or CRI-O, migrated: the same mirrors with the same credentials, and the same handlers.
 * $PODWRIGHT_TEST_CONTAINERD (2.1 or later) and $PODWRIGHT_TEST_CRIO name programs of the others to compare with; what they need is beside
 * them or in PATH. Without them the tests that compare are skipped.
 */
// long: 20 s
import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import type { CriClient } from '../../src/cli/cri-client.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { findProgram } from '../support/find-program.ts';
import { handlersOf, OtherRuntime } from '../support/other-runtime.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../support/registry.ts';
import { testImages } from '../support/test-image.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/podwright');
const CONTAINERD = process.env['PODWRIGHT_TEST_CONTAINERD'];
const CRIO = process.env['PODWRIGHT_TEST_CRIO'];
/** A registry that is nowhere: what comes under its name comes from the mirror. */
const IMAGE = 'origin.test/team/app:1';

/** A registry that asks for the account, and has the image. */
async function openMirror(t: TestContext): Promise<TestRegistry> {
  const mirror = await TestRegistry.start({ private: true });
  t.after(async () => mirror.stop());
  await mirror.push((await testImages()).busybox, 'team/app', ['1']);
  return mirror;
}

/** Pulls the image, and removes it; it came from the mirror, which has nothing for somebody without the account. */
async function pullsByMirror(client: CriClient, mirror: TestRegistry): Promise<void> {
  const anonymous = await fetch(`${mirror.url}/v2/team/app/manifests/1`);
  assert.equal(anonymous.status, 401, await anonymous.text());
  const before = (await mirror.asked()).length;
  const { imageRef } = await client.image.pullImage({ image: { image: IMAGE } }, { timeoutMs: 60_000 });
  assert.notEqual(imageRef, '');
  const asked = (await mirror.asked()).slice(before).filter(({ path }) => path.startsWith('/v2/team/app/'));
  const blobs = asked.filter(({ method, path, status }) => method === 'GET' && /\/blobs\/sha256:/.test(path) && status === 200);
  assert.ok(blobs.length > 1, `the config and the layers came from it: ${JSON.stringify(asked)}`);
  await client.image.removeImage({ image: { image: IMAGE } });
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** Has our program make a drop-in of what the other runtime has, and starts the daemon with it. */
async function migrate(daemon: TestDaemon, ...args: readonly string[]): Promise<void> {
  const output = join(daemon.directory, 'conf.d/10-migrated.toml');
  const env = process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {};
  const { stdout, exitCode } = await execa(PROGRAM, ['config', 'migrate', ...args, '--output', output], { env, reject: false });
  assert.equal(exitCode, 0, stdout);
  await daemon.restart();
}

const handlers = (peer: string): string => `[plugins."${peer}".containerd]
default_runtime_name = "runc"
[plugins."${peer}".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."${peer}".containerd.runtimes.second]
runtime_type = "io.containerd.runc.v2"
[plugins."${peer}".containerd.runtimes.second.options]
BinaryName = "runc"
`;

function inline(mirror: TestRegistry): string {
  const table = 'plugins."io.containerd.grpc.v1.cri".registry';
  return `version = 2
${handlers('io.containerd.grpc.v1.cri')}[${table}.mirrors."origin.test"]
endpoint = ["${mirror.url}"]
[${table}.configs."${mirror.host}".auth]
username = "${ACCOUNT.username}"
password = "${ACCOUNT.password}"
`;
}

e2eTest(
  'mirrors and credentials that stand in containerd’s own file, version 2, serve the migrated node',
  async (daemon, t) => {
    const mirror = await openMirror(t);
    const file = join(daemon.directory, 'their/config.toml');
    await write(file, inline(mirror));
    await migrate(daemon, '--from', 'containerd', '--file', file, '--registry-dir', join(daemon.directory, 'registries'));
    await pullsByMirror(daemon.client, mirror);
    assert.deepEqual(await handlersOf(daemon.client), ['', 'runc', 'second']);
    assert.deepEqual((await readdir(join(daemon.directory, 'registries'))).sort(), ['auth.json', 'certs.d']);
  },
  { images: [], skip: noRegistry },
);

e2eTest(
  'a containerd of version 3 and the daemon that has its migrated configuration pull by the same mirror, and have the same handlers',
  async (daemon, t) => {
    const mirror = await openMirror(t);
    const at = (name: string): string => join(daemon.directory, 'their', name);
    t.after(async () => rm(at(''), { recursive: true, force: true }));
    const images = 'plugins."io.containerd.cri.v1.images".registry';
    await write(at('certs.d/origin.test/hosts.toml'), `[host."${mirror.url}"]\ncapabilities = ["pull", "resolve"]\n`);
    await write(
      at('config.toml'),
      `version = 3\nroot = "${at('root')}"\nstate = "${at('state')}"\n[grpc]\naddress = "${at('cri.sock')}"\n[ttrpc]\naddress = "${at('ttrpc.sock')}"\n` +
        `[plugins."io.containerd.nri.v1.nri"]\ndisable = true\n[plugins."io.containerd.internal.v1.opt"]\npath = "${at('opt')}"\n${handlers('io.containerd.cri.v1.runtime')}[${images}]\nconfig_path = "${at('certs.d')}"\n` +
        `[${images}.configs."${mirror.host}".auth]\nusername = "${ACCOUNT.username}"\npassword = "${ACCOUNT.password}"\n`,
    );
    const containerd = await OtherRuntime.start(CONTAINERD ?? '', ['-c', at('config.toml')], at('cri.sock'));
    let theirs: string[];
    try {
      await pullsByMirror(containerd.client, mirror);
      theirs = await containerd.handlers();
    } finally {
      await containerd.stop();
    }
    await migrate(daemon, '--from', 'containerd', '--file', at('config.toml'), '--registry-dir', join(daemon.directory, 'registries'));
    await pullsByMirror(daemon.client, mirror);
    assert.deepEqual(await handlersOf(daemon.client), theirs);
  },
  { images: [], skip: noRegistry !== false ? noRegistry : CONTAINERD === undefined && '$PODWRIGHT_TEST_CONTAINERD names no containerd' },
);

/** CRI-O's configuration, with all of its files below a directory. */
function crioConf(at: (name: string) => string): string {
  return `[crio]
root = "${at('storage')}"
runroot = "${at('run/storage')}"
storage_driver = "overlay"
log_dir = "${at('logs')}"
version_file = "${at('run/version')}"
version_file_persist = "${at('version')}"
clean_shutdown_file = "${at('clean.shutdown')}"
[crio.api]
listen = "${at('cri.sock')}"
[crio.runtime]
default_runtime = "runc"
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
container_exits_dir = "${at('run/exits')}"
container_attach_socket_dir = "${at('run/attach')}"
namespaces_dir = "${at('run/ns')}"
apparmor_profile = "unconfined"
irqbalance_config_restore_file = "disable"
hooks_dir = []
[crio.runtime.runtimes.runc]
runtime_path = "/usr/sbin/runc"
runtime_type = "oci"
monitor_cgroup = "pod"
[crio.runtime.runtimes.second]
inherit_default_runtime = true
monitor_cgroup = "pod"
[crio.image]
global_auth_file = "${at('auth.json')}"
signature_policy = "${at('policy.json')}"
[crio.network]
network_dir = "${at('cni')}"
plugin_dirs = ["/usr/lib/cni"]
[crio.nri]
enable_nri = false
`;
}

async function crioFiles(at: (name: string) => string, mirror: TestRegistry): Promise<void> {
  const auth = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString('base64');
  await write(at('auth.json'), JSON.stringify({ auths: { [mirror.host]: { auth } } }));
  await write(at('policy.json'), '{"default": [{"type": "insecureAcceptAnything"}]}');
  await write(at('crio.conf'), crioConf(at));
  const table = `[[registry]]\nprefix = "origin.test"\nlocation = "origin.test"\n[[registry.mirror]]\nlocation = "${mirror.host}"\ninsecure = true\n`;
  await write(at('registries.conf'), table);
}

e2eTest(
  'the auth file and the mirrors of a CRI-O serve the migrated node, which has its handlers',
  async (daemon, t) => {
    const mirror = await openMirror(t);
    const at = (name: string): string => join(daemon.directory, 'their', name);
    await crioFiles(at, mirror);
    let theirs = ['', ...((await findProgram('crun')) === undefined ? [] : ['crun']), 'runc', 'second'];
    if (CRIO !== undefined) {
      await mkdir(at('empty'), { recursive: true });
      const env = { CONTAINER_REGISTRIES_CONF: at('registries.conf'), CONTAINER_REGISTRIES_CONF_DIR: at('empty') };
      const crio = await OtherRuntime.start(CRIO, ['-c', at('crio.conf'), '-d', at('empty')], at('cri.sock'), env);
      try {
        await pullsByMirror(crio.client, mirror);
        theirs = await crio.handlers();
      } finally {
        await crio.stop();
        await execa('umount', ['-l', at('storage/overlay')], { reject: false });
      }
    }
    // Where CRI-O reads it of its environment, a node has it in /etc/containers.
    await write(
      join(daemon.directory, 'conf.d/05-registries.toml'),
      `registries_conf = "${at('registries.conf')}"\nregistries_conf_dir = "${at('none')}"\n`,
    );
    await migrate(daemon, '--from', 'crio', '--file', at('crio.conf'));
    await pullsByMirror(daemon.client, mirror);
    assert.deepEqual(await handlersOf(daemon.client), theirs);
  },
  { images: [], skip: noRegistry },
);
