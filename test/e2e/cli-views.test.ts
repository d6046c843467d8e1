/** The commands that show pods and containers to people: ps, inspect, events. */
import assert from 'node:assert/strict';
import { execa } from 'execa';
import { sharedDaemon } from '../support/e2e-test.ts';
import { createContainer, podAddress, removePod, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';
import { view, viewCommand } from '../support/views.ts';
import type { PodView } from '../../src/cli/ps.ts';
import type { EventView } from '../../src/cli/events.ts';

const test = sharedDaemon();
const SLEEP = ['sleep', '3600'];

test('ps shows pods with their containers, with -a what has ended too, and as JSON all of it', async (daemon) => {
  const pod = await runPod(daemon, { name: 'web-7f9c' });
  const first = await runContainer(daemon, pod, shell('exit 3'), { name: 'app' });
  await waitForExit(daemon, first);
  const second = await runContainer(daemon, pod, SLEEP, { name: 'app', attempt: 1 });
  const made = await createContainer(daemon, pod, SLEEP, { name: 'made' });
  const over = await runPod(daemon, { name: 'over' });
  const overAddress = await podAddress(daemon, over.id);
  await daemon.runtime.stopPodSandbox({ podSandboxId: over.id });
  const address = await podAddress(daemon, pod.id);

  const plain = await view(daemon, ['ps']);
  const all = await view(daemon, ['ps', '-a']);
  const pods = JSON.parse((await view(daemon, ['ps', '-a', '--json'])).stdout) as PodView[];

  const short = (id: string): string => id.slice(0, 12);
  const rows = (text: string): string[][] => text.trimEnd().split('\n').map((line) => line.trim().split(/ {2,}/)); // prettier-ignore
  const age = /^\d+s$/;
  const withoutAge = (row: string[]): string[] => row.filter((cell) => !age.test(cell));
  assert.deepEqual(rows(plain.stdout).map(withoutAge), [
    ['POD / CONTAINER', 'STATE', 'AGE', 'RESTARTS', 'IP / IMAGE', 'ID'],
    ['e2e/web-7f9c', 'ready', '0', address, short(pod.id)],
    ['app', 'running', '1', IMAGES.busybox, short(second)],
    ['made', 'created', '0', IMAGES.busybox, short(made)],
  ]);
  assert.deepEqual(rows(all.stdout).map(withoutAge).slice(1), [
    ['e2e/over', 'notready', '0', overAddress, short(over.id)],
    ['e2e/web-7f9c', 'ready', '0', address, short(pod.id)],
    ['app', 'exit 3', '0', IMAGES.busybox, short(first)],
    ['app', 'running', '1', IMAGES.busybox, short(second)],
    ['made', 'created', '0', IMAGES.busybox, short(made)],
  ]);
  const web = pods.find(({ name }) => name === 'web-7f9c') ?? assert.fail('ps --json has no such pod');
  assert.deepEqual([web.namespace, web.state, web.ips, web.id, web.uid], ['e2e', 'ready', [address], pod.id, pod.config.metadata?.uid]);
  const [exited] = web.containers;
  assert.deepEqual([exited?.id, exited?.exitCode, exited?.reason, exited?.state], [first, 3, 'Error', 'exited']);
  assert.ok(Date.parse(exited?.finishedAt ?? '') >= Date.parse(exited?.startedAt ?? ''));
});

test('inspect prints all of a pod or container as JSON, and refuses words that mean several', async (daemon) => {
  const pod = await runPod(daemon, { name: 'seen' });
  const id = await runContainer(daemon, pod, SLEEP);
  await createContainer(daemon, pod, SLEEP, { name: 'more' });

  for (const words of [id, id.slice(0, 10), 'main', 'e2e/seen/main']) {
    const { stdout } = await view(daemon, ['inspect', words]);
    const { kind, status, info } = JSON.parse(stdout) as {
      kind: string;
      status: Record<string, unknown>;
      info: Record<string, unknown>;
    };
    assert.deepEqual([kind, status['id'], status['state'], info['state']], ['container', id, 'CONTAINER_RUNNING', 'Running'], words);
    assert.ok(Math.abs(Date.now() - Date.parse(String(status['startedAt']))) < 60_000);
  }
  const { stdout } = await view(daemon, ['inspect', 'e2e/seen']);
  const shown = JSON.parse(stdout) as {
    kind: string;
    status: { id: string; network: { ip: string } };
    containers: { id: string }[];
    info: { state: string };
  };
  assert.deepEqual(
    [shown.kind, shown.status.id, shown.status.network.ip, shown.info.state],
    ['pod', pod.id, await podAddress(daemon, pod.id), 'Ready'],
  );
  assert.equal(shown.containers.length, 2);
  const other = await runPod(daemon, { name: 'other' });
  const twin = await runContainer(daemon, other, SLEEP);
  const several = await view(daemon, ['inspect', 'main']);
  assert.equal(several.exitCode, 1);
  assert.equal(several.stderr.split('\n').length, 4);
  for (const each of [id, twin]) assert.match(several.stderr, new RegExp(`container ${each.slice(0, 12)} e2e/(seen|other)/main`));
  const none = await view(daemon, ['inspect', 'e2e/none']);
  assert.deepEqual([none.exitCode, none.stdout], [1, '']);
  assert.match(none.stderr, /no pod or container is called "e2e\/none"/);
});

test('events tells what happens to pods and containers, in order, in words and as JSON', async (daemon) => {
  const follow = (args: readonly string[]): { lines: string[]; stop: () => Promise<void> } => {
    const { line: [program = '', ...rest], env } = viewCommand(daemon, args); // prettier-ignore
    const child = execa(program, rest, { env, reject: false, buffer: false });
    const lines: string[] = [];
    let begun = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = `${begun}${text}`.split('\n');
      begun = parts.pop() ?? '';
      lines.push(...parts);
    });
    const stop = async (): Promise<void> => {
      child.kill('SIGINT');
      await child;
    };
    return { lines, stop };
  };
  const plain = follow(['events']);
  const json = follow(['events', '--json']);
  try {
    // Nothing says when a client listens: until both have told of one, pods come and go.
    await until('both hear of a pod', async () => {
      await removePod(daemon, (await runPod(daemon)).id);
      return plain.lines.length > 0 && json.lines.length > 0;
    });
    const pod = await runPod(daemon, { name: 'told' });
    const id = await runContainer(daemon, pod, shell('exit 7'));
    await waitForExit(daemon, id);
    await daemon.runtime.removeContainer({ containerId: id });
    await removePod(daemon, pod.id);
    const told = (): EventView[] => json.lines.map((line) => JSON.parse(line) as EventView).filter(({ pod: name }) => name === 'told');
    await until('the pod is gone', async () => told().some(({ kind, event }) => kind === 'pod' && event === 'deleted'));
    assert.deepEqual(
      told().map(({ kind, event, container, exitCode }) => [kind, event, container, exitCode].filter((each) => each !== undefined)),
      [
        ['pod', 'created'],
        ['pod', 'started'],
        ['container', 'created', 'main'],
        ['container', 'started', 'main'],
        ['container', 'stopped', 'main', 7],
        ['container', 'deleted', 'main'],
        ['pod', 'stopped'],
        ['pod', 'deleted'],
      ],
    );
    await until('the lines are there', async () => plain.lines.filter((line) => line.includes('e2e/told')).length === 8);
    const short = id.slice(0, 12);
    assert.match(plain.lines.find((line) => line.includes('stopped  container')) ?? '', new RegExp(`^\\d{4}-\\S+Z  stopped  container  ${short}  e2e/told/main  exit 7 Error$`)); // prettier-ignore
  } finally {
    await Promise.all([plain.stop(), json.stop()]);
  }
});
