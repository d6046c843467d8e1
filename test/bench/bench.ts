/**
 * Compares CRI runtimes by what the kubelet asks of them: `npm run bench -- SOCKET... [--image REF] [--pull REF] [--rounds N]
 * [--user-namespaces]`, the last one for pods with a user namespace in turn with those without.
 * The first socket is ours; ratios are against the last. All sockets are measured in turns within one run, so that noise of
 * the machine meets them alike.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { remove } from 'fs-extra/esm';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { Init, NamespaceOption, PodSandboxConfig, UserNamespace } from '../../api/cri/runtime.ts';
import { connect, type CriClient } from '../../src/cli/cri-client.ts';

interface Target {
  readonly name: string;
  readonly client: CriClient;
  readonly times: Map<string, number[]>;
}

const TIMEOUT_MS = 240_000;
const OPTIONS = { timeoutMs: TIMEOUT_MS };
const AT_ONCE = 10;
let serial = 0;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    image: { type: 'string' },
    pull: { type: 'string' },
    rounds: { type: 'string', default: '10' },
    'rounds-at-once': { type: 'string', default: '3' },
    'user-namespaces': { type: 'boolean', default: false },
  },
});

async function timed<T>(target: Target, what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  const times = target.times.get(what) ?? [];
  times.push(performance.now() - started);
  target.times.set(what, times);
  return result;
}

/** What a pod has besides a network and an IPC namespace of its own. */
interface PodKind {
  readonly words: string;
  readonly pid: number;
  readonly hasUserNamespace: boolean;
}

const USUAL: PodKind = { words: '', pid: NamespaceMode.CONTAINER, hasUserNamespace: false };
const SHARED_PID: PodKind = { words: ', shared PID', pid: NamespaceMode.POD, hasUserNamespace: false };
const USER_NAMESPACE: PodKind = { words: ', user namespace', pid: NamespaceMode.CONTAINER, hasUserNamespace: true };

const KINDS = [USUAL, SHARED_PID, ...(values['user-namespaces'] ? [USER_NAMESPACE] : [])];

/** As the kubelet gives it: 65536 ids, of another range for each pod. */
function userNamespace(): Init<UserNamespace> {
  const mapping = { hostId: 65536 * (1 + (serial % 1000)), containerId: 0, length: 65536 };
  return { mode: NamespaceMode.POD, uids: [mapping], gids: [mapping] };
}

function namespacesOf({ pid, hasUserNamespace }: PodKind): Init<NamespaceOption> {
  const usual = { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid };
  return hasUserNamespace ? { ...usual, usernsOptions: userNamespace() } : usual;
}

function podConfig(logDirectory: string, kind: PodKind): Init<PodSandboxConfig> {
  serial += 1;
  return {
    metadata: { name: `bench-${serial}`, namespace: 'bench', uid: `bench-${process.pid}-${serial}`, attempt: 0 },
    hostname: `bench-${serial}`,
    logDirectory: join(logDirectory, String(serial)),
    dnsConfig: { servers: ['10.0.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    linux: { securityContext: { namespaceOptions: namespacesOf(kind) } },
  };
}

/** One pod's life, each step under its name. */
async function podLife(target: Target, image: string, logDirectory: string, kind: PodKind, prefix: string): Promise<void> {
  const { runtime } = target.client;
  const config = podConfig(logDirectory, kind);
  const namespaceOptions = config.linux?.securityContext?.namespaceOptions ?? {};
  const { podSandboxId } = await timed(target, `${prefix}RunPodSandbox${kind.words}`, async () =>
    runtime.runPodSandbox({ config }, OPTIONS),
  );
  if (kind.pid !== NamespaceMode.POD) {
    const containerId = await timed(target, `${prefix}Create+StartContainer${kind.words}`, async () => {
      const created = await runtime.createContainer(
        {
          podSandboxId,
          sandboxConfig: config,
          config: {
            metadata: { name: 'c', attempt: 0 },
            // CRI-O refuses a container without the name that the user gave (the kubelet always sends it).
            image: { image, userSpecifiedImage: image },
            command: ['sleep', '3600'],
            logPath: 'c.log',
            linux: { securityContext: { namespaceOptions } },
          },
        },
        OPTIONS,
      );
      await runtime.startContainer({ containerId: created.containerId }, OPTIONS);
      return created.containerId;
    });
    await timed(target, `${prefix}ExecSync true${kind.words}`, async () =>
      runtime.execSync({ containerId, cmd: ['true'], timeout: 60n }, OPTIONS),
    );
    await timed(target, `${prefix}Stop+RemoveContainer${kind.words}`, async () => {
      await runtime.stopContainer({ containerId, timeout: 0n }, OPTIONS);
      await runtime.removeContainer({ containerId }, OPTIONS);
    });
  }
  await timed(target, `${prefix}StopPod+RemovePodSandbox${kind.words}`, async () => {
    await runtime.stopPodSandbox({ podSandboxId }, OPTIONS);
    await runtime.removePodSandbox({ podSandboxId }, OPTIONS);
  });
}

/** Every other round backwards: what one leaves to the kernel (namespaces to clean up, dirty pages) meets not always the same next one. */
function inTurn(targets: readonly Target[], round: number): readonly Target[] {
  return round % 2 === 0 ? targets : targets.toReversed();
}

async function pull(target: Target, image: string): Promise<void> {
  await target.client.image.removeImage({ image: { image } }, OPTIONS);
  await timed(target, 'PullImage', async () => target.client.image.pullImage({ image: { image } }, OPTIONS));
}

async function main(): Promise<void> {
  const image = values.image ?? '';
  if (positionals.length === 0 || image === '') throw new Error('usage: bench SOCKET... --image REF [--pull REF] [--rounds N]');
  const targets = positionals.map((path) => ({
    name: path,
    client: connect(path.replace(/^unix:\/\//, '')),
    times: new Map<string, number[]>(),
  }));
  const logDirectory = await mkdtemp(join(tmpdir(), 'podwright-bench-'));
  try {
    for (const target of targets) {
      const { image: present } = await target.client.image.imageStatus({ image: { image } }, OPTIONS);
      if (present === undefined) await target.client.image.pullImage({ image: { image } }, OPTIONS);
      // The first pod of a daemon loads code and makes bridges; it is nobody's usual case.
      await podLife({ ...target, times: new Map() }, image, logDirectory, USUAL, '');
    }
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const target of inTurn(targets, round)) {
        for (const kind of KINDS) await podLife(target, image, logDirectory, kind, '');
      }
    }
    for (let round = 0; round < Number(values['rounds-at-once']); round += 1) {
      for (const target of inTurn(targets, round)) {
        await Promise.all(Array.from({ length: AT_ONCE }, async () => podLife(target, image, logDirectory, USUAL, `${AT_ONCE} at once: `)));
      }
    }
    if (values.pull !== undefined) for (let round = 0; round < 3; round += 1) for (const target of targets) await pull(target, values.pull);
    report(targets);
  } finally {
    for (const target of targets) target.client.close();
    await remove(logDirectory);
  }
}

function median(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function report(targets: readonly Target[]): void {
  const peer = targets.at(-1);
  const names = [...(targets[0]?.times.keys() ?? [])];
  const width = Math.max(...names.map((name) => name.length));
  process.stdout.write(
    `${'median, ms'.padEnd(width)} ${targets.map((_, index) => `#${index + 1}`.padStart(9)).join(' ')}    #1/#${targets.length}\n`,
  );
  for (const name of names) {
    const medians = targets.map((target) => median(target.times.get(name) ?? []));
    const ratio = (medians[0] ?? 0) / median(peer?.times.get(name) ?? []);
    process.stdout.write(
      `${name.padEnd(width)} ${medians.map((ms) => ms.toFixed(1).padStart(9)).join(' ')} ${ratio.toFixed(2).padStart(8)}\n`,
    );
  }
  targets.forEach((target, index) => process.stdout.write(`#${index + 1} ${target.name}\n`));
}

await main();
