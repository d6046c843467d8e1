/**
 * Twenty thousand requests, made from the schema and by changing good ones: none may bring the daemon down, none is answered
 * with Internal or Unknown but for a reason listed here, and nothing is left.
 */
// long: 47 s
import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after } from 'node:test';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import type protobuf from 'protobufjs';
import { CriError } from '../../src/cli/cri-client.ts';
import { parseProto, readProto } from '../support/proto-facts.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { containerConfig, podConfig, runContainer, runPod, shell } from '../support/pods.ts';
import { RandomMessages, seededRandom } from '../support/random-messages.ts';

const SEED = Number(process.env['PODWRIGHT_TEST_SEED'] ?? 20_261_125);
const FROM_SCHEMA = 19_000;
const CHANGED = 1_000;
const AT_ONCE = 6;
const TIMEOUT_MS = 60_000;
/** A pull tries again where nobody listens; here only its first words count. */
const PULL_TIMEOUT_MS = 200;

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await remove(folder);
});

/** Answers under Internal or Unknown that are right, and why. */
const ALLOWED: readonly (readonly [words: RegExp, why: string])[] = [
  [
    /^create container \w+: (.*runc create failed|executable file `.*` not found)/s,
    'what only the runtime and the kernel can judge is answered in their words',
  ],
  [/^RegistryUnavailable/, 'the kubelet knows it by this word, and only under Unknown'],
];

/** Where the time is up by the request's own limit, or this test's. */
const HAS_A_LIMIT: readonly string[] = ['ExecSync', 'PullImage'];

/** Streams that end only with their caller. */
const ENDLESS: readonly string[] = ['GetContainerEvents'];

interface Answer {
  readonly rpc: string;
  readonly code: string;
  readonly details: string;
  readonly request: unknown;
}

type Call = (request: object, options: { timeoutMs: number }) => Promise<object> | AsyncIterable<object>;

class Requests {
  readonly bad: Answer[] = [];
  readonly codes = new Map<string, number>();
  readonly #daemon: TestDaemon;

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  /** @returns what was made, where something was. */
  async send(rpc: string, request: object): Promise<object | undefined> {
    const { runtime, images } = this.#daemon;
    const name = rpc.charAt(0).toLowerCase() + rpc.slice(1);
    const call = ((runtime as object as Record<string, Call>)[name] ?? (images as object as Record<string, Call>)[name])!;
    try {
      const answer = call(request, { timeoutMs: rpc === 'PullImage' ? PULL_TIMEOUT_MS : TIMEOUT_MS });
      if (answer instanceof Promise) return this.#count('OK', await answer);
      for await (const message of answer) assert.ok(message);
      this.#count('OK', undefined);
      return undefined;
    } catch (error) {
      if (!(error instanceof CriError)) throw error;
      const { code, details } = error;
      this.#count(code, undefined);
      const isWrong =
        code === 'INTERNAL' || code === 'UNKNOWN' || (code === 'DEADLINE_EXCEEDED' && !HAS_A_LIMIT.includes(rpc)) || code === 'UNAVAILABLE';
      if (isWrong && !ALLOWED.some(([words]) => words.test(details))) this.bad.push({ rpc, code, details, request });
      return undefined;
    }
  }

  #count<T>(code: string, answer: T): T {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    return answer;
  }
}

async function inLanes(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** All RPCs with their types of request, less those that never end. */
function rpcsOf(root: ReturnType<typeof parseProto>): (readonly [rpc: string, type: protobuf.Type])[] {
  const services = ['RuntimeService', 'ImageService'].map((name) => root.lookupService(name));
  const methods = services.flatMap(({ methodsArray }) => methodsArray).filter(({ name }) => !ENDLESS.includes(name));
  return methods.map(({ name, requestType }) => [name, root.lookupType(requestType)] as const);
}

const NASTY: Readonly<Record<string, readonly unknown[]>> = {
  string: [
    '',
    '/',
    '..',
    '/../../x',
    'a b',
    '"',
    '\n',
    '%s',
    'x'.repeat(300),
    `/${'y/'.repeat(3000)}`,
    'é'.repeat(100),
    'z'.repeat(100_000),
  ],
  number: [-1, 0, 1, 3, 99, 2 ** 31 - 1, -(2 ** 31)],
  bigint: [-1n, 0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)],
  boolean: [true, false],
};

/** A copy with one or two of its fields changed; paths of the host only to such as nobody has. */
function changed<T extends object>(good: T, random: () => number): T {
  const copy = structuredClone(good);
  const places: (readonly [holder: Record<string, unknown>, key: string])[] = [];
  const look = (value: object): void => {
    for (const [key, each] of Object.entries(value) as [string, unknown][]) {
      if (key === 'hostPath' || key === 'logDirectory') continue;
      places.push([value as Record<string, unknown>, key]);
      if (typeof each === 'object' && each !== null && !(each instanceof Uint8Array)) look(each);
    }
  };
  look(copy);
  for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes -= 1) {
    const [holder, key] = places[Math.floor(random() * places.length)]!;
    const values = NASTY[typeof holder[key]];
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else if (values === undefined || random() < 0.1) Reflect.deleteProperty(holder, key);
    else holder[key] = values[Math.floor(random() * values.length)];
  }
  return copy;
}

e2eTest(
  'random and changed requests are answered in words of ours, and leave nothing',
  async (daemon, context) => {
    const requests = new Requests(daemon);
    const root = parseProto(await readProto());
    const rpcs = rpcsOf(root);
    await inLanes(FROM_SCHEMA, async (index) => {
      const [rpc, type] = rpcs[index % rpcs.length]!;
      await requests.send(rpc, new RandomMessages(SEED + index).message(type));
    });

    const pod = await runPod(daemon);
    const good = await containerConfig(pod, shell('sleep 1000'));
    const containerId = await runContainer(daemon, pod, shell('sleep 1000'), { name: 'there' });
    await inLanes(CHANGED, async (index) => {
      const random = seededRandom(SEED + index);
      switch (index % 5) {
        case 0: {
          const made = await requests.send('RunPodSandbox', { config: changed(podConfig(daemon), random) });
          if (made !== undefined) await requests.send('RemovePodSandbox', made);
          return;
        }
        case 1: {
          const config = { ...good, metadata: { name: `c${index}`, attempt: 0 } };
          const made = await requests.send('CreateContainer', {
            podSandboxId: pod.id,
            config: changed(config, random),
            sandboxConfig: pod.config,
          });
          if (made === undefined) return;
          if (random() < 0.3) await requests.send('StartContainer', made);
          await requests.send('RemoveContainer', made);
          return;
        }
        case 2:
          await requests.send(
            'UpdateContainerResources',
            changed(
              { containerId, linux: { ...good.linux?.resources, cpuQuota: 50_000n, cpusetCpus: '0', unified: { 'memory.high': '1' } } },
              random,
            ),
          );
          return;
        case 3:
          await requests.send('ExecSync', changed({ containerId, cmd: ['true', 'a'], timeout: 10n }, random));
          return;
        default:
          await requests.send('ReopenContainerLog', changed({ containerId }, random));
      }
    });
    context.diagnostic(`seed ${SEED}: ${[...requests.codes].map(([code, count]) => `${code} ${count}`).join(', ')}`);
    const kinds = new Map(
      requests.bad.map((answer) => [
        `${answer.rpc} ${answer.code} ${answer.details.replaceAll(/[0-9a-f]{12,}|\d+/g, '#').slice(0, 160)}`,
        answer,
      ]),
    );
    assert.deepEqual(
      [...kinds.keys()],
      [],
      [...kinds.values()]
        .slice(0, 5)
        .map((answer) => JSON.stringify(answer, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)).slice(0, 3000))
        .join('\n'),
    );
    assert.ok(daemon.isRunning);
  },
  {
    timeoutMs: 400_000,
    // No name may lead to a registry outside: every one of them is asked for on a port where nobody listens.
    prepare: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'pw-registries-'));
      folders.push(folder);
      const file = join(folder, 'registries.conf');
      const nowhere = 'location = "127.0.0.1:9"\ninsecure = true\n';
      await writeFile(file, `[[registry]]\nprefix = "docker.io"\n${nowhere}`);
      return { config: `registries_conf = "${file}"\nregistries_conf_dir = "${folder}/none"\n` };
    },
  },
);
