/** What an NRI plugin adjusts, seen from inside a container that a runtime has made of the spec. */
import assert from 'node:assert/strict';
import { readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import type { ContainerConfig, Init, LinuxContainerSecurityContext } from '../../../api/cri/runtime.ts';
import type { ContainerAdjustment, Init as InitOf } from '../../../api/nri/messages.ts';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { NO_FEATURES } from '../../../src/ociruntime/runtime-handlers.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { withAdjustment } from '../../../src/ocispec/nri-adjust.ts';
import { readAdjustmentFacts } from '../../../src/ocispec/nri-facts.ts';
import { adjustment } from '../../support/nri-adjustments.ts';
import { RUNC, RuncLab } from '../../support/runc-lab.ts';
import { shared } from '../../support/shared.ts';
import { containerConfig } from '../../support/spec-inputs.ts';

let lab: RuncLab;
const made = shared(
  async () => RuncLab.make(),
  async (it) => it.remove(),
);
before(async () => {
  lab = await made();
});
const runtime = new OciRuntime({ name: 'test', path: RUNC, root: '/run/none', systemdCgroup: false, environment: {} });
const features = (await runtime.features()) ?? NO_FEATURES;

/** Runs a script in a container that a plugin has adjusted; what it wrote to both streams, and its exit code. */
async function adjusted(script: string, asked: InitOf<ContainerAdjustment>, security: Init<LinuxContainerSecurityContext> = {}) {
  const config: Init<ContainerConfig> = {
    metadata: { name: 'web' },
    command: ['sh', '-c', script],
    envs: [{ key: 'GONE', value: Buffer.from('still there') }],
    linux: { securityContext: security },
  };
  const spec = buildSpec(await lab.input({ config: containerConfig(config) }));
  const adjust = adjustment(asked);
  const facts = await readAdjustmentFacts(adjust, undefined);
  const result = await lab.run(withAdjustment(spec, adjust, { ...facts, runtime: features, host: lab.host }));
  return { text: result.stdout.toString() + result.stderr.toString(), code: result.exit.code };
}

const ZERO = { path: '/dev/mine', type: 'c', major: 1n, minor: 5n, fileMode: { value: 0o644 }, uid: { value: 7 }, gid: { value: 8 } };

async function mountsOfLab(): Promise<InitOf<ContainerAdjustment>['mounts']> {
  await ensureDir(join(lab.directory, 'plugin/below'));
  await writeFile(join(lab.directory, 'plugin/file'), 'from a plugin');
  return [
    { destination: '/plugin', type: 'bind', source: join(lab.directory, 'plugin'), options: ['rbind', 'ro'] },
    { destination: '/plugin/below', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] },
    { destination: '/etc/hosts', source: join(lab.directory, 'plugin/file'), options: ['bind', 'ro'] },
    { destination: '-/dev/mqueue' },
  ];
}

const SCRIPT = `
  echo "env: $A [$GONE]"; echo "args: $0 $1"
  stat -c 'device: %t:%T %a %u:%g' /dev/mine; head -c 3 /dev/mine | od -An -tx1
  echo "plugin: $(cat /plugin/file) $(cat /etc/hosts)"; touch /plugin/x 2>/dev/null || echo "plugin: read-only"
  touch /plugin/below/x && echo "below: written"; [ -d /dev/mqueue ] || echo "mqueue: none"
  echo "limits: $(ulimit -Sn) $(ulimit -Hn) $(ulimit -c)"; echo "oom: $(cat /proc/self/oom_score_adj)"
  echo "sysctl: $(cat /proc/sys/net/ipv4/ip_default_ttl)"; mkdir /tmp/x 2>/dev/null || echo "mkdir: refused"
  touch /new 2>/dev/null && echo "root: written"; echo "hook: $(cat /dev/shm/hook)"`;

const wanted = async (): Promise<InitOf<ContainerAdjustment>> => ({
  annotations: { 'example.org/plugin': 'yes' },
  env: [{ key: 'A', value: 'b=c' }, { key: '-GONE' }],
  args: ['sh', '-c', SCRIPT, 'zero', 'one'],
  mounts: (await mountsOfLab()) ?? [],
  hooks: { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `cat >/dev/null; echo ran > ${join(lab.directory, 'shm/hook')}`], timeout: { value: 9n } }] },
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100n, hard: 200n }, { type: 'RLIMIT_CORE', soft: 0n, hard: 0n }],
  linux: {
    devices: [ZERO],
    oomScoreAdj: { value: 500n },
    sysctl: { 'net.ipv4.ip_default_ttl': '77' },
    seccompPolicy: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 1 } }],
    },
  },
}); // prettier-ignore

const SEEN = [
  'env: b=c []',
  'args: zero one',
  'device: 1:5 644 7:8',
  ' 00 00 00',
  'plugin: from a plugin from a plugin',
  'plugin: read-only',
  'below: written',
  'mqueue: none',
  'limits: 100 200 0',
  'oom: 500',
  'sysctl: 77',
  'mkdir: refused',
];

test('what a plugin adjusts is there inside the container', async () => {
  const { text, code } = await adjusted('exit 9', await wanted());
  assert.deepStrictEqual(text.trimEnd().split('\n'), [...SEEN, 'root: written', 'hook: ran'], text);
  assert.equal(code, 0);
});

test('it is so too where the root file system is read-only, and in a privileged container', async () => {
  const readonly = await adjusted('exit 9', await wanted(), { readonlyRootfs: true });
  assert.deepStrictEqual(readonly.text.trimEnd().split('\n'), [...SEEN, 'hook: ran'], readonly.text);
  const privileged = await adjusted('exit 9', await wanted(), { privileged: true });
  assert.deepStrictEqual(privileged.text.trimEnd().split('\n'), [...SEEN, 'root: written', 'hook: ran'], privileged.text);
});

test("namespaces are the node's or new ones where a plugin wants that", async () => {
  const script = 'for each in net ipc uts pid; do readlink /proc/self/ns/$each; done; ls /sys/class/net | wc -l';
  const own = async (name: string): Promise<string> => readlink(`/proc/self/ns/${name}`);
  const { text } = await adjusted(script, {
    linux: { namespaces: [{ type: '-ipc' }, { type: '-uts' }, { type: '-pid' }, { type: 'network' }] },
  });
  const [net, ...others] = text.split('\n');
  assert.deepStrictEqual(others.slice(0, 3), [await own('ipc'), await own('uts'), await own('pid')], text);
  assert.notEqual(net, await own('net'));
});

test('limits are those of the cgroup', async () => {
  const script =
    lab.host.cgroupVersion === 'v2'
      ? 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.max cpuset.cpus'
      : 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus';
  const resources = {
    memory: { limit: { value: 64n << 20n } },
    pids: { limit: 77n },
    cpu: { quota: { value: 30_000n }, period: { value: 60_000n }, cpus: '0' },
  };
  const { text } = await adjusted(script, { linux: { resources } });
  assert.deepStrictEqual(text.trim().split(/\s+/), ['67108864', '77', '30000', '60000', '0'], text);
});

test('scheduler and I/O priority are those asked for, and refused where the runtime does not know them', async () => {
  const linux = { scheduler: { policy: 4, nice: 5 }, ioPriority: { class: 2, priority: 6 } };
  // The fields of proc_pid_stat(5): 19 is nice, 41 the policy.
  const running = adjusted("cut -d' ' -f19,41 /proc/self/stat; ionice -p $$", { linux });
  if (features.scheduling) assert.deepStrictEqual((await running).text.trimEnd().split('\n'), ['5 3', 'best-effort: prio 6']);
  else await assert.rejects(running, /linux\.io_priority is set, must not be: the runtime handler/);
});
