import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureDir } from 'fs-extra/esm';
import type { ContainerConfig, Device, Init, LinuxContainerSecurityContext } from '../../../api/cri/runtime.ts';
import { pauseProgram } from '../../../src/podsandbox/pause-program.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { planDevice } from '../../../src/ocispec/device-rules.ts';
import { listHostDevices, resolveDevices } from '../../../src/ocispec/devices.ts';
import type { ContainerSpecInput } from '../../../src/ocispec/input.ts';
import { execProcess } from '../../../src/ocispec/process.ts';
import { parseSeccompProfile } from '../../../src/ocispec/seccomp-profile.ts';
import { specToJson } from '../../../src/ocispec/spec-json.ts';
import { bindMount } from '../../support/mounts.ts';
import { RuncLab } from '../../support/runc-lab.ts';
import { shared } from '../../support/shared.ts';
import { containerConfig, infraInput, resolvedMount, sandboxConfig } from '../../support/spec-inputs.ts';

let lab: RuncLab;
const made = shared(
  async () => RuncLab.make(),
  async (it) => it.remove(),
);
before(async () => {
  lab = await made();
});

type Asked = Omit<Init<ContainerConfig>, 'linux' | 'command'> & { readonly security?: Init<LinuxContainerSecurityContext> };

/** Runs a shell script in a container that asks for `asked`; what it wrote to both streams, and its exit code. */
async function shell(script: string, { security, ...asked }: Asked = {}, changes: Partial<ContainerSpecInput> = {}) {
  const linux = security === undefined ? {} : { linux: { securityContext: security } };
  const config = containerConfig({ metadata: { name: 'web' }, command: ['sh', '-c', script], ...asked, ...linux });
  const result = await lab.run(buildSpec(await lab.input({ config, ...changes })));
  return { text: result.stdout.toString() + result.stderr.toString(), code: result.exit.code };
}

const status = (text: string, field: string): string => new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
const maskOf = (numbers: readonly number[]): string =>
  numbers
    .reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n)
    .toString(16)
    .padStart(16, '0');
/** CHOWN, KILL, SETGID, SETUID, SYS_CHROOT: the defaults of the lab. */
const DEFAULT_MASK = maskOf([0, 5, 6, 7, 18]);

test('a container that asks for nothing runs in the pod, with the default rights', async () => {
  const script = `
    echo "id: $(id -u):$(id -g):$(id -G)"; echo "pwd: $(pwd)"; echo "env: $PATH $HOME $HOSTNAME [$TERM] $FROM_REQUEST"
    echo "host: $(hostname)"; echo "links: $(ls /sys/class/net | tr '\\n' ' ')"; echo "hosts: $(cat /etc/hosts)"
    echo "init: $$"; echo "files: $(ulimit -Sn)"; echo "oom: $(cat /proc/self/oom_score_adj)"
    touch /dev/shm/from-container && echo "shm: written"
    touch /new && echo "root: written"; rm /new
    touch /sys/x 2>/dev/null || echo "sys: read-only"
    echo 1 2>/dev/null >/proc/sys/kernel/panic || echo "proc/sys: read-only"
    echo "masked: [$(cat /proc/interrupts)] [$(ls /sys/firmware)]"
    [ -t 0 ] || echo "tty: none"; ls -l /dev/null /dev/tty /dev/ptmx /dev/fd | wc -l
    mkdir -p /tmp/m; mount -t tmpfs none /tmp/m 2>/dev/null || echo "mount: refused"
    cat /proc/self/status; exit 7`;
  const { text, code } = await shell(script, { envs: [{ key: 'FROM_REQUEST', value: Buffer.from('é ü') }] });

  assert.equal(code, 7);
  assert.deepStrictEqual(
    text.split('\n').slice(0, 16),
    [
      'id: 0:0:0',
      'pwd: /',
      'env: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /root web-0 [] é ü',
      'host: pod-host',
      'links: lo ',
      'hosts: 10.9.8.7 from-the-pod',
      'init: 1',
      'files: 1024',
      `oom: ${Math.max(0, lab.host.oomScoreAdjFloor)}`,
      'shm: written',
      'root: written',
      'sys: read-only',
      'proc/sys: read-only',
      'masked: [] []',
      'tty: none',
      '4',
    ],
    text,
  );
  assert.match(text, /^mount: refused$/m);
  assert.deepStrictEqual(
    [status(text, 'CapEff'), status(text, 'CapBnd'), status(text, 'CapInh'), status(text, 'Seccomp'), status(text, 'NoNewPrivs')],
    [DEFAULT_MASK, DEFAULT_MASK, maskOf([]), '0', '0'],
  );
  assert.equal(await readFile(join(lab.directory, 'shm/from-container'), 'utf8'), '');
});

test('a privileged container has all of the daemon, every device, and writable system files', async () => {
  const hostDevices = await listHostDevices();
  const disk = hostDevices.find(({ type }) => type === 'b');
  const script = `
    cat /proc/self/status; mount -t tmpfs none /tmp && echo "mounted"
    echo "interrupts: $(wc -l </proc/interrupts | sed 's/^0$/none/')"; grep -E ' /sys(/fs/cgroup)? ' /proc/mounts | cut -d' ' -f2,4
    ${disk === undefined ? 'echo read' : `dd if=${disk.path} of=/dev/null bs=512 count=1 2>/dev/null && echo read`}`;
  const privileged = { linux: { securityContext: { privileged: true } } };
  const { text, code } = await shell(
    script,
    { security: { privileged: true, seccomp: {} } },
    { hostDevices, sandboxConfig: sandboxConfig(privileged) },
  );

  assert.equal(code, 0, text);
  const own = await readFile('/proc/self/status', 'utf8');
  assert.deepStrictEqual([status(text, 'CapEff'), status(text, 'Seccomp')], [status(own, 'CapEff'), '0']);
  assert.match(text, /^mounted$/m);
  assert.match(text, /^read$/m);
  assert.match(text, /^interrupts: \d+$/m);
  assert.match(text, /^\/sys rw,/m);
});

test('users by name and number get their groups, home and ids', async () => {
  const script = 'echo "$(id -u):$(id -g):$(id -G):$HOME"; cat /proc/self/status';
  const byName = await shell(script, { security: { runAsUsername: 'app', supplementalGroups: [1234n] } });
  const strict = await shell(script, {
    security: { runAsUser: { value: 1000n }, supplementalGroups: [1234n], supplementalGroupsPolicy: 1 },
  });
  const unknown = await shell(script, { security: { runAsUser: { value: 4242n }, runAsGroup: { value: 77n } } });
  const fromImage = await shell(script, {}, { imageConfig: { User: 'app:extra' } });

  assert.deepStrictEqual(
    [byName, strict, unknown, fromImage].map(({ text }) => text.split('\n')[0]),
    ['1000:1000:1000 1234 2000:/home/app', '1000:1000:1000 1234:/home/app', '4242:77:77:/', '1000:2000:2000:/home/app'],
  );
  assert.deepStrictEqual([status(byName.text, 'CapEff'), status(byName.text, 'CapBnd')], [maskOf([]), DEFAULT_MASK]);
});

test('capabilities are dropped, added and made ambient', async () => {
  const masks = async (capabilities: LinuxContainerSecurityContext['capabilities'], more: Init<LinuxContainerSecurityContext> = {}) => {
    const { text } = await shell('cat /proc/self/status', { security: { capabilities, ...more } });
    return [status(text, 'CapEff'), status(text, 'CapBnd'), status(text, 'CapAmb')];
  };
  const lists = { addCapabilities: [] as string[], dropCapabilities: [] as string[], addAmbientCapabilities: [] as string[] };
  const all = status(await readFile('/proc/self/status', 'utf8'), 'CapBnd');
  const none = maskOf([]);

  assert.deepStrictEqual(await masks({ ...lists, dropCapabilities: ['ALL'] }), [none, none, none]);
  assert.deepStrictEqual(await masks({ ...lists, addCapabilities: ['ALL'] }), [all, all, none]);
  assert.deepStrictEqual(await masks({ ...lists, dropCapabilities: ['ALL'], addCapabilities: ['net_admin'] }), [
    maskOf([12]),
    maskOf([12]),
    none,
  ]);
  assert.deepStrictEqual(
    await masks({ ...lists, dropCapabilities: ['ALL'], addAmbientCapabilities: ['NET_BIND_SERVICE'] }, { runAsUser: { value: 1000n } }),
    [maskOf([10]), maskOf([10]), maskOf([10])],
  );
});

test('the default seccomp profile is in force and lets ordinary programs run', async () => {
  const script = `
    grep ^Seccomp: /proc/self/status; unshare -U true 2>/dev/null && echo "user namespace made"
    for i in 1 2 3; do (true | cat); done; echo text | grep -c text; date >/dev/null && ping -h >/dev/null 2>&1; chmod 600 /tmp/x 2>/dev/null
    echo "end"`;
  const confined = await shell(script, { security: { seccomp: { profileType: 0 } } });
  const free = await shell(script, { security: { seccomp: { profileType: 1 } } });
  const privileges = await shell('grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status', {
    security: { seccomp: {}, noNewPrivs: true, runAsUser: { value: 1000n } },
  });

  assert.deepStrictEqual([confined.text, confined.code], ['Seccomp:\t2\n1\nend\n', 0]);
  assert.deepStrictEqual([free.text, free.code], ['Seccomp:\t0\nuser namespace made\n1\nend\n', 0]);
  assert.equal(privileges.text, 'NoNewPrivs:\t1\nSeccomp:\t2\n');
});

test('a Localhost seccomp profile is in force, conditions decided', async () => {
  const profile = parseSeccompProfile(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["chmod", "fchmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "includes": {"arches": ["amd64", "arm64"]}},
    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}`);
  const security = { seccomp: { profileType: 2, localhostRef: '/some/profile.json' } };
  const { text } = await shell(
    'chmod 700 /tmp; mkdir /tmp/made && rmdir /tmp/made && echo made',
    { security },
    { localhostSeccomp: profile },
  );

  assert.equal(text, 'made\nchmod: /tmp: Operation not permitted\n');
});

test('masked and read-only paths of the request hold', async () => {
  const security = { maskedPaths: ['/bin/ls'], readonlyPaths: ['/tmp'] };
  const { text } = await shell('ls; touch /tmp/x; echo "[$(cat /proc/interrupts)]"', { security });

  assert.equal(text, '[]\nsh: ls: Permission denied\ntouch: /tmp/x: Read-only file system\n');
});

test('a read-only root is read-only, and what is mounted in it stays writable', async () => {
  const volume = join(lab.directory, 'volume-rw');
  await mkdir(volume);
  const mounts = [resolvedMount({ containerPath: '/tmp', hostPath: volume }, volume)];
  const { text } = await shell(
    'touch /x; touch /dev/shm/y /tmp/z /dev/w && echo ok; touch /etc/hosts',
    { security: { readonlyRootfs: true } },
    { mounts },
  );

  assert.equal(text, 'ok\ntouch: /x: Read-only file system\ntouch: /etc/hosts: Read-only file system\n');
});

test('volumes are nested, read-only, recursively read-only and without execution as asked', async () => {
  const source = join(lab.directory, 'volumes');
  for (const name of ['outer/inner', 'ro/sub', 'rro/sub', 'noexec', 'sub']) await ensureDir(join(source, name));
  for (const name of ['ro', 'rro']) bindMount(join(source, 'sub'), join(source, name, 'sub'));
  await writeFile(join(source, 'noexec/run'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
  const volume = (containerPath: string, name: string, more = {}) => resolvedMount({ containerPath, ...more }, join(source, name));
  const mounts = [
    volume('/v/outer/inner', 'sub'),
    volume('/v/outer', 'outer'),
    volume('/v/ro', 'ro', { readonly: true }),
    volume('/v/rro', 'rro', { readonly: true, recursiveReadOnly: true }),
    volume('/v/noexec', 'noexec', { mountOptions: ['noexec', 'nodev'] }),
  ];
  const { text } = await shell(
    `touch /v/outer/inner/a && ls /v/ro/sub; touch /v/ro/x; touch /v/ro/sub/b && echo written; touch /v/rro/sub/c; /v/noexec/run;
     grep ' /v/noexec ' /proc/mounts | cut -d' ' -f4 | grep -o nodev`,
    {},
    { mounts },
  );

  assert.deepStrictEqual(text.split('\n').sort(), [
    '',
    'a',
    'nodev',
    'sh: /v/noexec/run: Permission denied',
    'touch: /v/ro/x: Read-only file system',
    'touch: /v/rro/sub/c: Read-only file system',
    'written',
  ]);
});

const devicesOf = async (requested: readonly Device[]) => resolveDevices(requested.map((device) => planDevice(device)));

test('devices of the request are there, with their permissions, and no others work', async () => {
  const found = await devicesOf([
    { hostPath: '/dev/zero', containerPath: '/dev/mine', permissions: 'r' },
    { hostPath: '/dev/loop-control', containerPath: '/dev/own/loop', permissions: 'r' },
    { hostPath: '/dev/full', containerPath: '/dev/denied', permissions: 'm' },
  ]);
  const script = `
    dd if=/dev/mine of=/dev/null bs=1 count=1 2>/dev/null && echo read; (exec 3</dev/own/loop) && echo opened
    (exec 3<>/dev/own/loop) 2>/dev/null || echo "not for writing"; mknod /tmp/disk b 254 0; ls /dev | tr '\\n' ' '; (exec 3</tmp/disk); rm /tmp/disk`;
  const security = { capabilities: { addCapabilities: ['MKNOD'] } };
  const { text } = await shell(script, { security }, { devices: found });

  assert.equal(
    text,
    'read\nopened\nnot for writing\ndenied fd full mine mqueue null own ptmx pts random shm stderr stdin stdout tty urandom zero ' +
      "sh: can't open /tmp/disk: Operation not permitted\n",
  );
});

test('resolveDevices() takes a directory for all in it, and refuses what is none', async () => {
  const inDirectory = await devicesOf([{ hostPath: '/dev/net', containerPath: '/dev/mine', permissions: 'rw' }]);

  assert.ok(inDirectory.every(({ path, type, access }) => path.startsWith('/dev/mine/') && type === 'c' && access === 'rw'));
  const refused = (hostPath: string) => devicesOf([{ hostPath, containerPath: '', permissions: '' }]);
  await assert.rejects(refused('/dev/no-such'), { kind: 'NotFound' });
  await assert.rejects(refused('/etc/passwd'), { kind: 'InvalidArgument' });
  await assert.rejects(refused('/dev/../etc/passwd'), { kind: 'InvalidArgument' });
});

test('limits of the request are those of its cgroup', async (t) => {
  if (lab.host.cgroupVersion !== 'v1') {
    t.skip('cgroup v1 is not what this machine has');
    return;
  }
  const config = containerConfig({
    command: ['sh', '-c', 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us pids/pids.max'],
    linux: { resources: { memoryLimitInBytes: 64n * 1024n * 1024n, cpuShares: 512n, cpuQuota: 50_000n, cpuPeriod: 100_000n } },
  });
  const input = await lab.input({ config });
  const { stdout, stderr } = await lab.run(buildSpec({ ...input, settings: { ...input.settings, pidsLimit: 33 } }));

  assert.equal(stdout.toString() + stderr.toString(), '67108864\n512\n50000\n33\n');
});

test('an exec gets the environment, user and confinement of the container', async () => {
  const config = containerConfig({ command: ['sleep', '60'], linux: { securityContext: { runAsUsername: 'app', seccomp: {} } } });
  const spec = buildSpec(await lab.input({ config }));
  const { id } = await lab.start(spec);
  const file = join(lab.directory, 'exec.json');
  await writeFile(
    file,
    specToJson(execProcess(spec.process, { command: ['sh', '-c', 'id -u; echo $HOME; grep ^Seccomp: /proc/self/status'], tty: false })),
  );
  const { stdout } = await lab.runc('exec', '--process', file, id);
  await lab.runc('delete', '--force', id);

  assert.equal(stdout.toString(), '1000\n/home/app\nSeccomp:\t2\n');
});

test('an infra container keeps a PID namespace, reaps its orphans and ends on TERM', async () => {
  const rootfs = join(lab.directory, 'infra');
  await mkdir(rootfs);
  await writeFile(join(rootfs, 'pause'), pauseProgram(process.arch), { mode: 0o555 });
  const infra = await lab.start(
    buildSpec(infraInput({ rootfsPath: rootfs, namespaces: lab.namespaces, cgroupsPath: `${lab.cgroup}/infra`, host: lab.host })),
  );
  const namespaces = { ...lab.namespaces, pid: `/proc/${infra.pid}/ns/pid` };
  // The orphan's first parent ends at once; it is ended when it is the infra container's, and is then to be reaped.
  const script = `
    echo "one: $(tr "\\0" " " </proc/1/cmdline)"
    orphan=$(sh -c 'sleep 3600 >/dev/null & echo $!')
    until grep -q "^PPid:.1$" /proc/$orphan/status; do sleep 0.02; done
    kill $orphan
    while [ -e /proc/$orphan ]; do sleep 0.02; done
    echo end`;
  const { text } = await shell(script, {}, { namespaces });

  assert.equal(text, 'one: /pause \nend\n');
  assert.match(
    await readFile(`/proc/${infra.pid}/status`, 'utf8'),
    /^Uid:\t65535\t65535[^]*^CapBnd:\t0{16}[^]*^NoNewPrivs:\t1[^]*^Seccomp:\t2/m,
  );
  assert.equal((await readFile(`/proc/${infra.pid}/oom_score_adj`, 'utf8')).trim(), String(Math.max(-998, lab.host.oomScoreAdjFloor)));
  await lab.runc('kill', infra.id, 'TERM');
  for (let round = 0; round < 50 && (await stateOf(infra.id)) !== 'stopped'; round += 1) await sleep(100);
  assert.equal(await stateOf(infra.id), 'stopped');
});

async function stateOf(id: string): Promise<unknown> {
  return (JSON.parse((await lab.runc('state', id)).stdout.toString()) as { status: unknown }).status;
}
