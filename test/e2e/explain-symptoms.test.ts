/** What `podwright explain` says is wrong, by symptom: each block of docs/troubleshooting.md is what it printed here. */
// long: 80 s
import assert from 'node:assert/strict';
import { glob, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atEnd } from '../support/at-end.ts';
import { limitPod } from '../support/cgroup-files.ts';
import { installPlugin, removeFirewallRules, useFaultyPlugin } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { digest, FaultyRegistry } from '../support/faulty-registry.ts';
import type { Gate } from '../support/gate.ts';
import { pushGatedImage } from '../support/gated-image.ts';
import { HungMount, noFuse } from '../support/hung-mount.ts';
import { containerConfig, createContainer, execSync, failureOf, podConfig, removePod, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts'; // prettier-ignore
import { noRegistry } from '../support/registry.ts';
import { ageByOneBoot, endAsPowerLoss } from '../support/sweep.ts';

const PAGE = join(import.meta.dirname, '../../docs/troubleshooting.md');
/** Set: the page gets what was printed. */
const WRITES = process.env['PODWRIGHT_WRITE_DOCS'] === '1';
const PATIENCE_MS = 30_000;
const test = sharedDaemon({ images: ['busybox'], config: '[timeouts]\ncni_add = "9s"\ncni_del = "2s"\n' });

/** What differs from run to run. */
function levelled(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, 'UUID')
    .replaceAll(/\b[0-9a-f]{12,64}\b/g, 'ID')
    .replaceAll(/\/tmp\/[\w./-]+/g, 'PATH')
    .replaceAll(/net-\w+/g, 'NETWORK')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/\d+(\.\d+)? (ms|s|min|bytes|kB|KiB|MiB|%)/g, 'N $2')
    .replaceAll(/process(es)? \d+/g, 'process N')
    .replaceAll(/\b\d{2,}\b/g, 'N');
}

/** The part of an explanation that says what is wrong and what to look at. */
async function wrongWith(daemon: TestDaemon, object: string): Promise<string> {
  const text = await daemon.cli('explain', object);
  const lines = text.split('\n\n')[1]?.split('\n') ?? [];
  return lines.filter((line) => line.startsWith('! ') || line.startsWith('    look at: ')).join('\n');
}

/** Compares with the block below the heading of the page. */
async function isTold(symptom: string, daemon: TestDaemon, object: string, told?: string): Promise<void> {
  const printed = told ?? (await wrongWith(daemon, object));
  assert.match(printed, /^! .*\n {4}look at: /, `nothing is told of ${object}: ${await daemon.cli('explain', object)}`);
  const shown = `$ podwright explain ${object}\n${printed}`;
  const page = await readFile(PAGE, 'utf8');
  const [before = '', rest] = page.split(`\n## ${symptom}\n`);
  const block = /```\n([\s\S]*?)\n```/.exec(rest ?? '');
  assert.ok(rest !== undefined && block !== null, `docs/troubleshooting.md has no block below "${symptom}"`);
  if (WRITES) await writeFile(PAGE, `${before}\n## ${symptom}\n${rest.replace(block[0], () => `\`\`\`\n${shown}\n\`\`\``)}`);
  else assert.equal(levelled(shown), levelled(block[1] ?? ''));
}

/** Waits until something is told to be waited for. */
async function untilTold(daemon: TestDaemon, object: string, pattern: RegExp): Promise<string> {
  return until('it is told', async () => {
    const told = await wrongWith(daemon, object).catch(() => '');
    return pattern.test(told) && told;
  }, PATIENCE_MS); // prettier-ignore
}

test('a slow CNI plugin', async (daemon) => {
  await useFaultyPlugin(daemon, 'hangs', ['ADD']);
  const call = failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon, { name: 'slow' }) }));
  await isTold('A pod stays in ContainerCreating: a CNI plugin does not answer', daemon, 'e2e/slow', await untilTold(daemon, 'e2e/slow', /waits at "run CNI plugin/)); // prettier-ignore
  await call;
});

test('a CNI plugin that fails at DEL', async (daemon) => {
  await useFaultyPlugin(daemon, 'passes', []);
  const pod = await runPod(daemon, { name: 'stays' });
  await installPlugin(daemon.cniBinDir, 'faulty', 'fails', ['DEL']);
  await failureOf(daemon.runtime.stopPodSandbox({ podSandboxId: pod.id }));
  await isTold('A pod stays in Terminating: a CNI plugin fails', daemon, 'e2e/stays');
  await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
  await removePod(daemon, pod.id);
  await daemon.useCniPlugins(daemon.bridgePlugins());
});

test('a command that is not there', async (daemon) => {
  const pod = await runPod(daemon, { name: 'wrong-command' });
  await failureOf(createContainer(daemon, pod, ['/no/such/program'], { name: 'app' }));
  await isTold('CreateContainerError: the command is not in the image', daemon, 'e2e/wrong-command/app');
});

test('a mount that fails', async (daemon) => {
  const pod = await runPod(daemon, { name: 'bad-mount' });
  const file = join(daemon.directory, 'a-file');
  await writeFile(file, '');
  const mounts = [{ containerPath: '/etc', hostPath: file, readonly: false, propagation: 0 }];
  await failureOf(createContainer(daemon, pod, ['true'], { name: 'app', change: { mounts } }));
  await isTold('CreateContainerError: a volume cannot be mounted', daemon, 'e2e/bad-mount/app');
});

test('a probe that times out', async (daemon) => {
  const pod = await runPod(daemon, { name: 'slow-probe' });
  const id = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'app' });
  await failureOf(execSync(daemon, id, ['sleep', '60'], 1));
  await isTold('A probe fails: its command does not end in time', daemon, 'e2e/slow-probe/app');
});

test('a container at its memory limit', async (daemon) => {
  const pod = await runPod(daemon, { name: 'eats' });
  const id = await runContainer(daemon, pod, shell('exec dd if=/dev/zero of=/dev/null bs=64M'), { name: 'app', memoryBytes: 20n << 20n });
  await waitForExit(daemon, id);
  await isTold('OOMKilled: the limit of the container', daemon, 'e2e/eats/app');
});

test('a pod at its memory limit', async (daemon) => {
  const pod = await runPod(daemon, { name: 'eats-together' });
  await limitPod(pod, 20 << 20);
  const id = await runContainer(daemon, pod, shell('exec dd if=/dev/zero of=/dev/null bs=64M'), { name: 'app' });
  await waitForExit(daemon, id);
  await isTold('OOMKilled: the limit of the pod', daemon, 'e2e/eats-together/app');
});

test('a volume on a file system that hangs', async (daemon, context) => {
  if (noFuse !== false) {
    context.skip(noFuse);
    return;
  }
  const source = join(daemon.directory, 'hung');
  const fuse = new HungMount(source);
  try {
    await fuse.start();
    const pod = await runPod(daemon, { name: 'hung-volume' });
    const mounts = [{ containerPath: '/data', hostPath: join(source, 'sub'), readonly: false, propagation: 0 }];
    const config = await containerConfig(pod, ['true'], { name: 'app', change: { mounts } });
    const call = failureOf(
      daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, { timeoutMs: 12_000 }),
    );
    await isTold('A pod stays in ContainerCreating: a volume hangs', daemon, 'e2e/hung-volume/app', await untilTold(daemon, 'e2e/hung-volume/app', /waits at/)); // prettier-ignore
    await fuse.kill();
    await call;
    await removePod(daemon, pod.id);
  } finally {
    await fuse.release();
  }
});

let gate: Gate;
e2eTest(
  'an image whose layer is slow, after a mirror that failed half way, and a tag that is not there',
  async (daemon) => {
    const pod = await runPod(daemon, { name: 'waits' });
    gate.shut(1 << 20);
    const pull = daemon.images.pullImage({ image: { image: 'slow.test/team/app:1' }, sandboxConfig: pod.config }, { timeoutMs: 60_000 });
    const told = await untilTold(daemon, 'e2e/waits', /waits at "fetch layer.* bytes have come/);
    await isTold('A pod waits for its image: a layer is slow', daemon, 'e2e/waits', told);
    gate.open();
    await pull;
    const notes = await daemon.cli('explain', 'slow.test/team/app:1');
    assert.match(notes, /\* a stream broke, and is taken up where it broke/, 'the mirror that failed is told');
    await failureOf(daemon.images.pullImage({ image: { image: 'slow.test/team/app:no-such-tag' }, sandboxConfig: pod.config }));
    await isTold('ErrImagePull: the tag is not there', daemon, 'slow.test/team/app:no-such-tag');
    await removePod(daemon, pod.id);
    await daemon.images.removeImage({ image: { image: 'slow.test/team/app:1' } });
  },
  {
    images: [],
    skip: noRegistry,
    prepare: async () => {
      const { registry, image, layer, ...pushed } = await pushGatedImage('team/app');
      ({ gate } = pushed);
      const mirror = await FaultyRegistry.start({
        fault: (request, response) => {
          if (request.url?.endsWith(digest(layer.blob)) !== true || request.method !== 'GET') return false;
          response.writeHead(200, { 'content-length': String(layer.blob.length) });
          response.write(layer.blob.subarray(0, layer.blob.length >> 1), () => response.destroy());
          return true;
        },
      });
      atEnd(async () => mirror.stop());
      mirror.addImage(image, 'team/app', '1');
      const config = await registry.daemonConfig({});
      const tables = [`[[registry]]\nlocation = "${gate.host}"`, `prefix = "slow.test"\ninsecure = true`, `[[registry.mirror]]\nlocation = "${mirror.host}"\ninsecure = true\n`]; // prettier-ignore
      await writeFile(join(registry.directory, 'registries.conf'), tables.join('\n'));
      return { config };
    },
  },
);

e2eTest('a node that was rebooted', async (daemon) => {
  const pod = await runPod(daemon, { name: 'before-boot' });
  await runContainer(daemon, pod, ['sleep', '3600'], { name: 'app' });
  await daemon.kill9();
  await endAsPowerLoss(daemon);
  for await (const file of glob(join(daemon.root, 'containers/*/persist/exit'))) await rm(file);
  await ageByOneBoot(daemon);
  await daemon.start();
  await isTold('A container ended with the node', daemon, 'e2e/before-boot/app');
  await removePod(daemon, pod.id);
  await removeFirewallRules(daemon.network);
});
