/** `podwright explain --json`: what is told of objects that are there, stuck, failed and gone. */
// long: 60 s
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeLayer, ociArchive } from '../../scripts/make-demo-image.ts';
import type { ExplainedObject, Explanation } from '../../src/base/explanation.ts';
import { installPlugin, useFaultyPlugin } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import type { Gate } from '../support/gate.ts';
import { pushGatedImage } from '../support/gated-image.ts';
import {
  createContainer,
  execSync,
  failureOf,
  podConfig,
  removePod,
  runContainer,
  runPod,
  shell,
  until,
  waitForExit,
} from '../support/pods.ts';
import { noRegistry } from '../support/registry.ts';

const TIMEOUTS = '[timeouts]\ncni_add = "5s"\ncni_del = "2s"\n';
const test = sharedDaemon({ config: TIMEOUTS });

async function explain(daemon: TestDaemon, object: string): Promise<Explanation> {
  return JSON.parse(await daemon.cli('explain', object, '--json')) as Explanation;
}

const workOf = ({ operations }: ExplainedObject): string[] =>
  operations.map(({ what, error }) => (error === undefined ? what : `${what} failed`));

test('a pod is explained by name and id, with its steps, its containers and their ends, and also when it is gone', async (daemon) => {
  const pod = await runPod(daemon, { name: 'whole-life' });
  const id = await runContainer(daemon, pod, shell('sleep 1; exit 3'), { name: 'brief' });
  await execSync(daemon, id, ['true']);
  await waitForExit(daemon, id);
  await until('its end is told', async () => (await explain(daemon, id)).object.operations.some(({ what }) => what === 'container exit'));

  const { object, containers } = await explain(daemon, 'e2e/whole-life');
  assert.deepEqual([object.kind, object.id, object.name, object.state], ['pod', pod.id, 'e2e/whole-life', 'Ready']);
  assert.deepEqual(workOf(object), ['run pod sandbox']);
  const [run] = object.operations;
  assert.ok(run !== undefined);
  const steps = run.steps.map(({ name, detail }) => (name === 'run CNI plugin' ? `${name} ${detail}` : name));
  for (const step of ['write record', 'pin namespaces', 'attach network', `run CNI plugin bridge of ${daemon.network}, ADD`])
    assert.ok(steps.includes(step), `${step} is not among ${steps.join()}`);
  assert.equal(run.rpc, 'RunPodSandbox');
  // Steps that run one after the other explain nearly all of it.
  const covered = Math.max(...run.steps.map(({ startedMs, durationMs }) => startedMs + durationMs));
  assert.ok(covered > 0.8 * run.durationMs, `${covered} of ${run.durationMs} ms`);

  const [container] = containers;
  assert.deepEqual([containers.length, container?.id, container?.name, container?.state], [1, id, 'e2e/whole-life/brief', 'Exited']);
  assert.deepEqual([container?.end?.exitCode, container?.end?.reason], [3, 'Error']);
  assert.deepEqual(container && workOf(container), ['create container', 'start container', 'exec', 'container exit']);
  const created = container?.operations[0]?.steps.map(({ name }) => name) ?? [];
  for (const step of ['write record', 'mount root file system', 'build spec', 'create by monitor', 'flush record'])
    assert.ok(created.includes(step), `${step} is not among ${created.join()}`);
  assert.deepEqual(container?.operations[2]?.facts, { exitCode: 0 });

  await removePod(daemon, pod.id);
  const gone = await explain(daemon, pod.id.slice(0, 12));
  assert.deepEqual([gone.object.state, gone.object.name], ['gone', 'e2e/whole-life']);
  assert.ok(
    workOf(gone.object).includes('stop pod sandbox') && workOf(gone.object).includes('remove pod sandbox'),
    workOf(gone.object).join(),
  );
  assert.deepEqual([gone.containers[0]?.state, gone.containers[0]?.end?.exitCode], ['gone', 3]);
  assert.match(await explainFailure(daemon, 'no-such-thing'), /no pod, container or image/);
});

async function explainFailure(daemon: TestDaemon, object: string): Promise<string> {
  return (await failureOfCli(daemon.cli('explain', object, '--json'))).message;
}

async function failureOfCli(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => assert.fail('it must fail'),
    (error: unknown) => error as Error,
  );
}

test('a pod whose CNI plugin does not answer: the plugin, its process and what that waits for, while it is stuck', async (daemon) => {
  await useFaultyPlugin(daemon, 'hangs', ['ADD']);
  const call = failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon, { name: 'stuck' }) }));
  const { object } = await until('the plugin hangs', async () => {
    const explanation = await explain(daemon, 'stuck').catch(() => undefined);
    return explanation?.object.operations.some(({ waits }) => waits.some(({ what }) => what.includes('faulty'))) === true && explanation;
  });
  assert.equal(object.state, 'Creating');
  const run = object.operations.at(-1);
  assert.deepEqual([run?.what, run?.isUnderWay, run?.waits.length], ['run pod sandbox', true, 1]);
  const wait = run?.waits[0];
  assert.equal(wait?.what, `one CNI plugin (faulty of ${daemon.network}, ADD)`);
  assert.match(wait.words, /process \d+, /);
  assert.match(await readFile(`/proc/${wait.pid}/environ`, 'utf8'), /CNI_COMMAND=ADD/);

  const { message } = await call;
  const after = await explain(daemon, 'stuck');
  assert.equal(after.object.state, 'gone');
  const last = after.object.operations.at(-1);
  assert.equal(last?.error, message.replace(/^.*?: (?=run pod sandbox)/, ''));
  assert.ok(last.steps.some(({ name, error }) => name === 'run CNI plugin' && /no answer after 5 s, killed/.test(error ?? '')));
  assert.ok(last.steps.some(({ name }) => name === 'undo'));
});

test('a pod that cannot be stopped since DEL fails: the plugin and its words', async (daemon) => {
  await useFaultyPlugin(daemon, 'passes', []);
  const pod = await runPod(daemon, { name: 'unstoppable' });
  await installPlugin(daemon.cniBinDir, 'faulty', 'fails', ['DEL']);
  await failureOf(daemon.runtime.stopPodSandbox({ podSandboxId: pod.id }));
  const { object } = await explain(daemon, 'unstoppable');
  assert.equal(object.state, 'Stopping');
  const failed = object.operations.at(-1);
  assert.equal(failed?.what, 'stop pod sandbox');
  const plugin = failed.steps.find(({ name, error }) => name === 'run CNI plugin' && error !== undefined);
  assert.match(`${plugin?.detail}: ${plugin?.error}`, /^faulty of .*, DEL: .*no address left/);
  await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
});

test('a pod that is refused before anything is made: why, by its name', async (daemon) => {
  const config = podConfig(daemon, { name: 'refused' });
  const { message } = await failureOf(daemon.runtime.runPodSandbox({ config, runtimeHandler: 'no-such-handler' }));
  const { object } = await explain(daemon, 'refused');
  assert.deepEqual([object.kind, object.id, object.state], ['pod', '', 'gone']);
  assert.ok(message.includes(object.operations[0]?.error ?? 'nothing'), message);
});

test("a command that is not there: the runtime's words, on the container and on its pod", async (daemon) => {
  const pod = await runPod(daemon, { name: 'wrong-command' });
  await failureOf(createContainer(daemon, pod, ['/no/such/program'], { name: 'wrong' }));
  for (const asked of ['wrong-command/wrong', 'e2e/wrong-command']) {
    const { object, containers } = await explain(daemon, asked);
    const container = object.kind === 'container' ? object : containers[0];
    const failed = container?.operations.at(-1);
    assert.deepEqual([container?.name, failed?.what], ['e2e/wrong-command/wrong', 'create container']);
    assert.match(failed?.error ?? '', /\/no\/such\/program/);
    const step = failed?.steps.find(({ name, error }) => name === 'create by monitor' && error !== undefined);
    assert.match(step?.error ?? '', /\/no\/such\/program/);
  }
});

test('what was done is told after the daemon was killed, and what an image name means is told too', async (daemon) => {
  const pod = await runPod(daemon, { name: 'outlives' });
  const id = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'stays' });
  await until('its start is on disk', async () =>
    (await readFile(`${daemon.root}/history/operations.jsonl`, 'utf8')).includes(`"containerId":"${id}"`),
  );
  await daemon.kill9();
  await daemon.start();
  const { object, containers } = await explain(daemon, 'outlives');
  assert.deepEqual([object.state, workOf(object)], ['Ready', ['run pod sandbox']]);
  assert.deepEqual([containers[0]?.state, containers[0]?.id], ['Running', id]);
  assert.ok(containers[0] && workOf(containers[0]).includes('create container'));
  const { stdout, lines } = await daemon.cli('explain', id).then((text) => ({ stdout: text, lines: text.split('\n') }));
  assert.match(lines[0] ?? '', /container e2e\/outlives\/stays .*Running/, stdout);
});

test('an image that was loaded: its load, also when another name of the same archive is asked for, and when it is gone', async (daemon) => {
  const files = await makeLayer([{ path: 'file', kind: 'file', data: 'loaded' }]);
  const names = ['one', 'two'].map((name) => `localhost/explained/${name}:1`);
  const archive = join(daemon.directory, 'explained.tar');
  await writeFile(archive, ociArchive(names.map((name) => ({ name, layers: [files], config: { Env: [`NAME=${name}`] } }))));
  await daemon.cli('image', 'load', archive);
  const loadOf = async (asked: string): Promise<string> => {
    const { object } = await explain(daemon, asked);
    assert.deepEqual([object.kind, workOf(object)], ['image', ['load image']], asked);
    assert.equal(object.operations[0]?.facts['images'], 2);
    return object.state;
  };
  for (const name of names) {
    assert.equal(await loadOf(name), 'present');
    const { image } = await daemon.images.imageStatus({ image: { image: name } });
    assert.equal(await loadOf(image?.id ?? 'none'), 'present');
    await daemon.images.removeImage({ image: { image: name } });
    assert.equal(await loadOf(name), 'gone');
  }
});

let gate: Gate;
e2eTest(
  'a pod whose image is being pulled: the layer, how far it is, the host, and who waits for the same pull',
  async (daemon) => {
    const name = `slow.test/team/slow:1`;
    const pod = await runPod(daemon, { name: 'waits-for-image' });
    gate.shut(1 << 20);
    const ask = async (config: typeof pod.config): Promise<unknown> =>
      daemon.images.pullImage({ image: { image: name }, sandboxConfig: config }, { timeoutMs: 60_000 });
    const first = ask(pod.config);
    await until('the layer is stuck', async () => Promise.resolve(gate.waiting > 0));
    const other = await runPod(daemon, { name: 'second' });
    const pulls = [first, ask(other.config)];
    const {
      pulls: [pull],
    } = await until('the layer is told', async () => {
      const explanation = await explain(daemon, 'waits-for-image');
      return explanation.pulls[0]?.waits.some(({ words }) => /of \d+ bytes have come/.test(words)) === true && explanation;
    });
    const wait = pull?.waits.find(({ what }) => what.startsWith('receiving one layer'));
    assert.match(wait?.what ?? '', /^receiving one layer \(sha256:[0-9a-f]{64}, \d+ bytes, from .+\)$/);
    assert.match(wait?.words ?? '', /^[1-9]\d* of \d+ bytes have come, \d+ bytes a second, from /);
    const second = await until('the other waits too', async () => {
      const explanation = await explain(daemon, 'second');
      return explanation.pulls.length === 2 && explanation;
    });
    assert.deepEqual(
      second.pulls.map(({ about }) => about.name),
      ['e2e/waits-for-image', 'e2e/second'],
    );
    assert.match(second.pulls[1]?.waits[0]?.what ?? '', /the same pull/);
    const { object: image } = await explain(daemon, name);
    assert.deepEqual([image.state, image.operations.length], ['being pulled', 2]);
    assert.match(image.operations[1]?.waits[0]?.what ?? '', /the same pull/);
    assert.equal(image.operations[1]?.about.name, 'e2e/second');
    gate.open();
    await Promise.all(pulls);
    const { object } = await explain(daemon, 'team/slow');
    assert.equal(object.state, 'present');
    const steps = object.operations[0]?.steps.map((step) => step.name) as string[];
    for (const step of ['resolve image', 'fetch layer', 'unpack layer', 'flush image'])
      assert.ok(steps.includes(step), `${step} is not among ${steps.join()}`);
    assert.ok(Number(object.operations[0]?.facts['bytes']) > 4 << 20);
    await daemon.images.removeImage({ image: { image: name } });
  },
  {
    images: [],
    skip: noRegistry,
    prepare: async () => {
      const { registry, ...pushed } = await pushGatedImage('team/slow');
      ({ gate } = pushed);
      return { config: await registry.daemonConfig({ 'slow.test': gate.host }) };
    },
  },
);
