/** Specs are adjusted, and shown to plugins, as by the Go module of NRI, which both peers use: github.com/containerd/nri. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { messages, type Container, type ContainerAdjustment, type Init } from '../../../api/nri/messages.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { readMounts } from '../../../src/linux/mounts.ts';
import { withAdjustment } from '../../../src/ocispec/nri-adjust.ts';
import { nriContainerOf } from '../../../src/ocispec/nri-container.ts';
import type { AdjustmentContext } from '../../../src/ocispec/nri-context.ts';
import type { OciSpec } from '../../../src/ocispec/oci-types.ts';
import { exactIntegers, jsonOf, specToJson } from '../../../src/ocispec/spec-json.ts';
import { ABLE, adjustment } from '../../support/nri-adjustments.ts';
import { HOST } from '../../support/spec-inputs.ts';
import { ALIKE, DIFFERENT } from './nri-cases.ts';
import { RandomAdjustments } from './random-adjustments.ts';

const SCRIPT = join(import.meta.dirname, '../../../scripts/build-nri-generate.sh');
const built = await execa('bash', [SCRIPT], { reject: false });
const skip = built.exitCode !== 0 && `the NRI generator is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

/** Something that each adjustment may meet. */
const SPEC: OciSpec = {
  ociVersion: '1.0.2',
  root: { path: '/rootfs', readonly: true },
  process: {
    terminal: true,
    user: { uid: 1000, gid: 1000, additionalGids: [44, 1001] },
    args: ['sh'],
    env: ['PATH=/bin', 'HOME=/root'],
    cwd: '/',
    capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'], inheritable: ['CAP_KILL'], ambient: [] },
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2n ** 64n - 1n }],
    noNewPrivileges: true,
    oomScoreAdj: 5,
    scheduler: { policy: 'SCHED_BATCH', nice: 1 },
    ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 1 },
  },
  mounts: ['/proc', '/data', '/twice', '/twice', '/dev/shm'].map((destination, index) => ({ destination, type: 'bind', source: `/s${index}`, options: ['rbind'] })), // prettier-ignore
  annotations: { a: 'b', b: 'c', 'io.kubernetes.cri.sandbox-id': 's' },
  hooks: { poststop: [{ path: '/had', timeout: 3 }] },
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'network', path: '/n' }, { type: 'ipc', path: '/i' }, { type: 'cgroup' }],
    devices: ['/dev/has', '/dev/other'].map((path) => ({ type: 'c', path, major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 })),
    cgroupsPath: '/c',
    resources: {
      devices: [{ allow: false, access: 'rwm' }],
      cpu: { shares: 9, quota: 8000, period: 7000, cpus: '0' },
      memory: { limit: 2 ** 30 },
      pids: { limit: 50 },
      hugepageLimits: [{ pageSize: '2MB', limit: 5 }],
      unified: { 'memory.high': '1' },
      blockIO: { weight: 10 },
    },
    seccomp: { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] },
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    sysctl: { 'kernel.msgmax': '1' },
    netDevices: { eth0: { name: 'x' } },
    intelRdt: { closID: 'had', schemata: ['L3:0=1'] },
  },
};

/** Options of the host that a cgroup mount must keep are no matter of upstream's; a real mount table, as upstream reads it. */
const CONTEXT: AdjustmentContext = {
  ...ABLE,
  host: { ...HOST, cgroup2Options: [] },
  hostMounts: [...(await readMounts()), ABLE.hostMounts.at(-1)!],
};

interface Outcome {
  readonly spec?: OciSpec;
  readonly container?: Container;
  readonly error?: string;
}

async function upstream(all: readonly Init<ContainerAdjustment>[], spec = SPEC): Promise<Outcome[]> {
  const text = specToJson(spec);
  const questions = all.map((asked) => {
    const bytes = Buffer.from(messages.ContainerAdjustment.encode(asked)).toString('base64');
    return `{"spec":${text},"adjustment":"${bytes}"}`;
  });
  const { stdout } = await execa(built.stdout, { input: `[${questions.join()}]` });
  const answers = JSON.parse(stdout, exactIntegers) as { spec?: OciSpec; container?: string; error?: string }[];
  return answers.map(({ container, ...rest }) => ({
    ...rest,
    ...(container === undefined ? {} : { container: messages.Container.decode(Buffer.from(container, 'base64')) }),
  }));
}

function ours(asked: Init<ContainerAdjustment>): Outcome {
  try {
    return { spec: withAdjustment(SPEC, adjustment(asked), CONTEXT) };
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return { error: error.message };
  }
}

/** As Go writes it: without what is empty. */
function bare(spec: unknown): unknown {
  return JSON.parse(specToJson(spec as OciSpec), (key, value: unknown, context?: { source?: string }) => {
    const isEmpty = value === false || value === '' || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
    // Zero is what a cgroup has by itself.
    const isZeroLimit = value === 0 && ['shares', 'quota', 'period'].includes(key);
    return isEmpty || isZeroLimit ? undefined : exactIntegers(key, value, context);
  });
}

/** The two things that upstream forgets in nearly every random adjustment: nri-cases.ts tells them one by one. */
function mended(spec: OciSpec): OciSpec {
  const rlimits = new Map(spec.process.rlimits.map((limit) => [limit.type, limit]));
  return { ...spec, process: { ...spec.process, rlimits: [...rlimits.values()] } };
}

test('each adjustment of the table makes the spec that upstream makes', { skip }, async () => {
  const answers = await upstream(ALIKE.map(({ asked }) => asked));
  for (const [index, { name, asked }] of ALIKE.entries()) {
    const [theirs, own] = [answers[index]!, ours(asked)];
    assert.equal(theirs.error, undefined, name);
    assert.equal(own.error, undefined, name);
    assert.deepEqual(bare(own.spec), bare(theirs.spec), name);
  }
});

function at(outcome: Outcome, path: readonly string[]): unknown {
  if (outcome.error !== undefined) return outcome.error;
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], bare(outcome.spec));
}

function agree(found: unknown, expected: unknown, words: string): void {
  if (expected instanceof RegExp) assert.match(typeof found === 'string' ? found : JSON.stringify(found), expected, words);
  else assert.deepEqual(found, expected === '' ? undefined : expected, words);
}

test('where a spec is another than upstream makes, it is on purpose', { skip }, async () => {
  const answers = await upstream(DIFFERENT.map(({ asked }) => asked));
  for (const [index, { name, asked, why, upstream: theirs, ours: own, at: path }] of DIFFERENT.entries()) {
    agree(at(answers[index]!, path), theirs, `upstream: ${name} (${why})`);
    agree(at(ours(asked), path), own, `ours: ${name} (${why})`);
  }
});

test('500 random adjustments make the specs that upstream makes, and plugins see the same of them', { skip }, async () => {
  const seed = Number(process.env['PODWRIGHT_TEST_SEED'] ?? 20_261_126);
  const random = new RandomAdjustments(seed);
  const all = Array.from({ length: 500 }, () => random.next());
  const answers = await upstream(all);
  for (const [index, asked] of all.entries()) {
    const [{ spec, error }, own] = [answers[index]!, ours(asked)];
    const words = `seed ${seed}, number ${index}: ${jsonOf(asked)}`;
    assert.equal(own.error, error, words);
    assert.deepEqual(bare(own.spec), bare(mended(spec!)), words);
  }
  // Conversions alone: upstream is shown the specs that ours has made.
  for (const [index, asked] of all.entries()) {
    if (index % 25 !== 0) continue;
    const { spec } = ours(asked);
    const [shown] = await upstream([{}], spec);
    const container = messages.Container.decode(messages.Container.encode(nriContainerOf(spec!)));
    assert.deepStrictEqual(container, shown!.container, `seed ${seed}, number ${index}`);
  }
});

test('a plugin sees of a spec what upstream shows of it', { skip }, async () => {
  const [shown] = await upstream([{}]);
  const container = messages.Container.decode(messages.Container.encode(nriContainerOf(SPEC)));
  assert.deepStrictEqual(container, shown!.container);
});
