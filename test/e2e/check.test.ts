/** `podwright check` on this machine: with a daemon and without, and with what is really wrong, missing or hanging. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import type { Finding } from '../../src/nodecheck/finding.ts';
import { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { HungMount, noFuse } from '../support/hung-mount.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/podwright');
const RUNTIME = process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc';
const CNI_BIN_DIRS = (process.env['PODWRIGHT_TEST_CNI_BIN'] ?? '/opt/cni/bin:/usr/lib/cni').split(':');
const MUST_END_MS = 20_000;

interface Outcome {
  readonly exitCode: number | undefined;
  readonly findings: readonly Finding[];
  /** `level area: what is`, without what is ok. */
  readonly wrong: readonly string[];
  readonly tookMs: number;
}

/** The configuration that the test daemon has by its flags; a later flag of the same name wins. */
function flagsOf(daemon: TestDaemon): string[] {
  return [
    '--config', join(daemon.directory, 'podwright.toml'), '--config-dir', join(daemon.directory, 'conf.d'),
    '--root', daemon.root, '--run-dir', daemon.runDir, '--listen', daemon.socket, '--cni-conf-dir', daemon.cniConfDir,
    ...[daemon.cniBinDir, ...CNI_BIN_DIRS].flatMap((folder) => ['--cni-bin-dir', folder]),
  ]; // prettier-ignore
}

async function check(daemon: TestDaemon, ...args: readonly string[]): Promise<Outcome> {
  const begin = performance.now();
  const env = process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {};
  const options = { reject: false, timeout: MUST_END_MS, env } as const;
  const { stdout, stderr, exitCode } = await execa(
    PROGRAM,
    ['check', '--json', ...flagsOf(daemon), '--runtime', `runc=${RUNTIME}`, ...args],
    options,
  );
  assert.match(stdout, /^\[/, `no report: ${stderr}`);
  const findings = JSON.parse(stdout) as Finding[];
  const wrong = findings.filter(({ level }) => level !== 'ok').map(({ level, area, is }) => `${level} ${area}: ${is}`);
  return { exitCode, findings, wrong, tookMs: performance.now() - begin };
}

const errorsOf = ({ findings }: Outcome): string[] =>
  findings.filter(({ level }) => level === 'error').map(({ area, is }) => `${area}: ${is}`);

e2eTest('a node that runs pods has no errors, by what its programs and kernel say; without its daemon the same', async (daemon) => {
  const running = await check(daemon, '--offline');
  assert.deepEqual([errorsOf(running), running.exitCode], [[], 0]);
  const said = running.findings.map(({ is }) => is);
  const { stdout } = await execa(RUNTIME, ['--version']);
  for (const words of [`pid ${daemon.pid},`, stdout.split('\n')[0] ?? '?', `"${daemon.network}"`, 'bridge, portmap'])
    assert.ok(said.some((is) => is.includes(words)), `nothing says ${words}:\n${said.join('\n')}`); // prettier-ignore
  const text = await daemon.cli('check', '--offline', '--cni-conf-dir', daemon.cniConfDir);
  assert.match(text, /^cgroups\n {2}(ok|note) +cgroup v[12]/m);
  assert.match(text, /^0 errors, \d+ warnings?, \d+ notes?, \d+ ok$/m);

  await daemon.stop();
  const stopped = await check(daemon, '--offline');
  assert.deepEqual([errorsOf(stopped), stopped.exitCode], [[], 0]);
  assert.ok(stopped.wrong.includes('note daemon: no daemon runs here; what only it knows was not looked at'));
});

e2eTest(
  'what is missing, too old or hangs is an error or a warning of its own, and the whole check ends in time',
  async (daemon) => {
    await daemon.writeCniConf([...daemon.bridgePlugins(), { type: 'not-installed' }], '1.0.0');
    const hangs = join(daemon.directory, 'hangs');
    await writeFile(hangs, '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
    const old = join(daemon.directory, 'conmon');
    await writeFile(old, '#!/bin/sh\necho conmon version 2.0.25\n', { mode: 0o755 });
    process.kill(daemon.pid, 'SIGSTOP');
    try {
      const outcome = await check(daemon, '--offline', '--runtime', `runc=${hangs}`, '--conmon', old);
      const errors = errorsOf(outcome);
      assert.equal(outcome.exitCode, 5);
      assert.deepEqual(
        errors.map((each) => each.split(/[,:] |\/tmp/)[0]),
        ['daemon', 'runtimes', 'runtimes', 'network'],
        errors.join('\n'),
      );
      assert.match(errors[0] ?? '', /the daemon is there and does not answer: .* does not answer in time/);
      assert.match(errors[1] ?? '', /the runtime of handler runc, .*hangs, cannot be run: .*not finished after 3 s/);
      assert.match(errors[2] ?? '', /conmon version 2\.0\.25/);
      assert.match(errors[3] ?? '', /plugin not-installed of .*10-test\.conflist is not there/);
      assert.ok(outcome.tookMs < 15_000, `it took ${outcome.tookMs} ms`);
    } finally {
      process.kill(daemon.pid, 'SIGCONT');
    }
  },
  { isHeldUp: true },
);

test('a disk that hangs is an error, and does not hang the check', { skip: noFuse, timeout: 60_000 }, async () => {
  const daemon = await TestDaemon.prepare();
  const hung = join(daemon.directory, 'hung');
  const fuse = new HungMount(hung);
  try {
    await fuse.start();
    const outcome = await check(daemon, '--offline', '--root', hung);
    assert.match(errorsOf(outcome).join('\n'), /^disks: root .*hung, on .*hung \(fuse.*\), does not answer/);
    assert.ok(outcome.tookMs < 15_000, `it took ${outcome.tookMs} ms`);
  } finally {
    await fuse.release();
    await daemon.destroy();
  }
});

test('registries of the configuration are asked, also those that do not answer, and tell how wrong the clock is', async () => {
  const daemon = await TestDaemon.prepare();
  const ahead = 600_000;
  const server = createServer((_request, response) => {
    response.sendDate = false;
    response.writeHead(401, { date: new Date(Date.now() + ahead).toUTCString() }).end();
  }).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const alive = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const conf = join(daemon.directory, 'registries.conf');
    await writeFile(
      conf,
      `[[registry]]\nlocation = "${alive}"\ninsecure = true\n[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:1"\ninsecure = true\n`,
    );
    const outcome = await check(daemon, '--registries-conf', conf);
    const told = outcome.findings.filter(({ area }) => area === 'registries' || area === 'clock');
    assert.deepEqual(
      told
        .map(
          ({ level, is }) =>
            `${level} ${is
              .split(' (')[0]
              ?.replace(/\d+ ms/, 'N ms')
              .replace('599 s', '600 s')}`,
        )
        .sort(),
      ['error the clock is 600 s behind that of the registry', `ok ${alive} answers with 401 after N ms`, 'warning 127.0.0.1:1'],
    );
    const offline = await check(daemon, '--registries-conf', conf, '--offline');
    assert.ok(offline.wrong.includes('note registries: registries were not asked (--offline)'));
  } finally {
    server.close();
    await daemon.destroy();
  }
});

/** Runs a script in mount and process namespaces of its own, where /run and /var/lib are empty. */
async function onEmptyNode(daemon: TestDaemon, script: string, areas = ['kubelet', 'other runtimes']): Promise<readonly string[]> {
  const whole = [
    'mount --make-rprivate /',
    'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib',
    // An empty directory is no store, and is not told.
    'mkdir -p /run/containerd /var/lib/kubelet /var/lib/containerd/io.containerd.content.v1.content /var/lib/docker',
    script,
    `"$@"; kill $(jobs -p)`,
  ].join('\n');
  const env = process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {};
  const args = [PROGRAM, 'check', '--json', '--offline', ...flagsOf(daemon), '--runtime', `runc=${RUNTIME}`];
  const { stdout } = await execa('unshare', ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-c', whole, 'bash', ...args], { env, timeout: 60_000, reject: false }); // prettier-ignore
  return (JSON.parse(stdout) as Finding[])
    .filter(({ level, area }) => level !== 'ok' && areas.includes(area))
    .map(({ level, is }) => `${level} ${is}`);
}

test('another runtime and a kubelet whose files and flags disagree are found on the node', async () => {
  const daemon = await TestDaemon.prepare();
  try {
    await mkdir(join(daemon.directory, 'bin'));
    const kubelet = join(daemon.directory, 'bin/kubelet');
    await copyFile('/bin/bash', kubelet);
    await chmod(kubelet, 0o755);
    const config = [
      'kind: KubeletConfiguration',
      'cgroupDriver: systemd',
      'podPidsLimit: 100',
      'seccompDefault: true',
      'evictionHard:',
      '  imagefs.available: 100%',
    ];
    const found = await onEmptyNode(
      daemon,
      [
        `printf '%s\\n' ${config.map((line) => `'${line}'`).join(' ')} > /var/lib/kubelet/config.yaml`,
        'socat UNIX-LISTEN:/run/containerd/containerd.sock,fork /dev/null &',
        // A process of that name: what is read is what /proc says of it.
        `${kubelet} -c 'sleep 30 & wait' --config=/var/lib/kubelet/config.yaml --container-runtime-endpoint unix:///run/crio/crio.sock --cgroup-driver=cgroupfs &`,
        // 00010000 says that it listens, as in <linux/net.h>.
        'until [ "$(cat /proc/$!/comm)" = kubelet ] && grep -q " 00010000 .* /run/containerd/containerd.sock$" /proc/net/unix; do sleep 0.05; done',
      ].join('\n'),
    );
    assert.deepEqual(found.map((line) => line.replace(daemon.root, 'ROOT')), [
      'warning another runtime answers on /run/containerd/containerd.sock',
      'note /var/lib/containerd has the images of another runtime',
      'error containerRuntimeEndpoint is unix:///run/crio/crio.sock',
      'error ROOT has less free than evictionHard imagefs.available 100%: the kubelet evicts pods and takes no new ones',
    ]); // prettier-ignore
    const byFiles = await onEmptyNode(
      daemon,
      `echo 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix://${daemon.socket} --pod-infra-container-image=x"' > /var/lib/kubelet/kubeadm-flags.env
       printf 'cgroupDriver: systemd\\nseccompDefault: true\\npodPidsLimit: 100\\n' > /var/lib/kubelet/config.yaml`,
    );
    assert.deepEqual(byFiles, [
      'note /var/lib/containerd has the images of another runtime',
      "warning the kubelet's cgroupDriver is systemd, ours is cgroupfs: pods and their containers get cgroups of two managers",
    ]);
  } finally {
    await daemon.destroy();
  }
});

test('a /dev/null that is a file, and one that is another device, are found', async () => {
  const daemon = await TestDaemon.prepare();
  try {
    const found = async (source: string): Promise<readonly string[]> =>
      (await onEmptyNode(daemon, `touch /run/file; mount --bind ${source} /dev/null`, ['kernel'])).filter((line) => line.includes('/dev/'));
    assert.deepEqual(await found('/run/file'), ['error /dev/null is a file']);
    assert.deepEqual(await found('/dev/zero'), ['error /dev/null is another device']);
  } finally {
    await daemon.destroy();
  }
});
