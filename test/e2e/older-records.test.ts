import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { e2eTest } from '../support/e2e-test.ts';
import { containerStatus, execSync, removePod, runContainer, runPod } from '../support/pods.ts';

/** Takes every field at its default out of a record's JSON, at any depth: as if the CRI had got them all since. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const isDefault = (each: unknown): boolean => ['""', '0', 'false', '[]', '{}', '{"$int64":"0"}'].includes(JSON.stringify(each));
  const kept = Object.entries(value).filter(([, each]) => !isDefault(each));
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutDefaults(each)]));
}

/** Rewrites a file of an object as an older daemon would have written it; says by how many bytes it is shorter. */
async function makeOlder(file: string, field: 'config' | 'resources'): Promise<number> {
  const text = await readFile(file, 'utf8');
  const { version, data } = JSON.parse(text) as { version: number; data: Record<string, unknown> };
  if (data[field] !== undefined) data[field] = withoutDefaults(data[field]);
  const older = JSON.stringify({ version, data });
  await writeFile(file, older);
  return text.length - older.length;
}

e2eTest('records of before the CRI had their fields are read with the defaults, and serve every call', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['sleep', '3600']);
  const podBefore = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
  const before = await containerStatus(daemon, id);
  await daemon.kill9();
  const shorter = [
    await makeOlder(join(daemon.root, 'sandboxes', pod.id, 'record.json'), 'config'),
    await makeOlder(join(daemon.root, 'containers', id, 'record.json'), 'config'),
  ];
  await makeOlder(join(daemon.root, 'containers', id, 'state.json'), 'resources');
  assert.ok(shorter.every((bytes) => bytes > 100), `the records are shorter by ${shorter.join(' and ')} bytes`); // prettier-ignore
  await daemon.start();

  assert.deepEqual((await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id })).status, podBefore.status);
  assert.deepEqual(await containerStatus(daemon, id), before);
  assert.equal((await execSync(daemon, id, ['true'])).exitCode, 0);
  await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  await daemon.runtime.containerStatus({ containerId: id, verbose: true });
  assert.equal((await daemon.runtime.runPodSandbox({ config: pod.config })).podSandboxId, pod.id, 'the same request is the same pod');
  await runContainer(daemon, pod, ['sleep', '3600'], { name: 'second' });
  await removePod(daemon, pod.id);
});
