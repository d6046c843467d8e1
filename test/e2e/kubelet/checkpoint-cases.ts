import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { COUNT } from '../../support/counting.ts';
import { findCriu } from '../../support/criu.ts';
import { Skipped } from '../../support/outcomes.ts';
import { until } from '../../support/pods.ts';
import type { Case } from './cases.ts';
import { container, NODE_NAME, pod } from './pods.ts';
import { containerOf, idOf } from './world.ts';
import type { World } from './world.ts';

/** The kubelet's own API for checkpoints: POST /checkpoint/NAMESPACE/POD/CONTAINER. */
export const CHECKPOINT_CASES: readonly Case[] = [{ name: 'a container is checkpointed by the kubelet and counts on', run: checkpoint }];

async function checkpoint(world: World): Promise<void> {
  const { skip } = await findCriu();
  if (skip !== false) throw new Skipped(skip);
  await world.withPod(pod('checkpointed', [container('main', COUNT)]), async (name) => {
    const before = await world.untilReady(name);
    await until('it counts', async () => (await numbers(world, name)).length > 3);
    const answer = await world.kubelet.ask(`/checkpoint/default/${name}-${NODE_NAME}/main?timeout=60`, 'POST');
    const { items } = JSON.parse(answer) as { readonly items: readonly string[] };
    const [archive = ''] = items;
    assert.equal(dirname(archive), join(world.kubelet.root, 'checkpoints'));
    assert.equal((await stat(archive)).mode & 0o777, 0o600);
    const { stdout } = await execa('tar', ['--force-local', '-xOf', archive, 'spec.dump']);
    const { annotations } = JSON.parse(stdout) as { readonly annotations: Readonly<Record<string, string>> };
    assert.equal(annotations['io.kubernetes.pod.name'], `${name}-${NODE_NAME}`);

    const taken = (await numbers(world, name)).length;
    await until('it counts on', async () => (await numbers(world, name)).length > taken + 3);
    const seen = await numbers(world, name);
    assert.deepEqual(
      seen,
      seen.map((_, index) => index + 1),
    );
    const after = await world.untilReady(name);
    assert.deepEqual([idOf(containerOf(after)), containerOf(after).restartCount], [idOf(containerOf(before)), 0]);
    await assert.rejects(world.kubelet.ask(`/checkpoint/default/${name}-${NODE_NAME}/none`, 'POST'), /container none does not exist/);
  });
}

async function numbers(world: World, name: string): Promise<number[]> {
  const lines = (await world.log(name, 'main')).split('\n');
  return lines.flatMap((line) => (line.startsWith('count ') ? [Number(line.slice(6))] : []));
}
