import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ChosenCgroups } from '../../../src/container/chosen-cgroups.ts';
import type { Container, ContainerRecord } from '../../../src/container/container.ts';
import type { Cgroups } from '../../../src/linux/cgroups/cgroups.ts';
import { bootId } from '../../../src/linux/process.ts';
import { CgroupfsPlacement } from '../../../src/ociruntime/cgroupfs-placement.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const NO_SPEC = '/nowhere/config.json';

interface Lab {
  readonly chosen: ChosenCgroups;
  /** Cgroups that are there. */
  readonly there: Set<string>;
  /** Containers with a state. */
  readonly containers: Map<string, Container>;
  readonly record: (id: string) => ContainerRecord;
  /** Gives a container a state, with a cgroup that a plugin has chosen. */
  readonly show: (id: string, is: 'Running' | 'Exited', chosenCgroup?: string) => void;
}

async function lab(boot?: string): Promise<Lab> {
  const there = new Set(['/pods/1', '/pods/2', '/own', '/own/busy']);
  const containers = new Map<string, Container>();
  const ofBoot = boot ?? (await bootId());
  const record = (id: string): ContainerRecord =>
    ({ id, cgroupParent: '/pods/1', cgroupsPath: `/pods/1/${id}`, bootId: ofBoot }) as unknown as ContainerRecord;
  const chosen = new ChosenCgroups({
    store: { get: (id) => containers.get(id), list: () => [...containers.values()] },
    podCgroups: () => ['/pods/1', '/pods/2'],
    placement: new CgroupfsPlacement({} as Cgroups),
    cgroups: { exists: async (path) => Promise.resolve(there.has(path)) },
  });
  const show = (id: string, is: 'Running' | 'Exited', chosenCgroup?: string): void =>
    void containers.set(id, { record: record(id), state: { is, chosenCgroup } } as unknown as Container);
  return { chosen, there, containers, record, show };
}

/** What a removal is told of the container's choice. */
async function removal({ chosen, record }: Lab, id: string, specFile = NO_SPEC): Promise<string | undefined> {
  let told: string | undefined = 'not told';
  await chosen.removing(record(id), specFile, async (path) => {
    told = path;
    return Promise.resolve();
  });
  return told;
}

test("ChosenCgroups: one that could not be the container's alone is refused, and not held", async () => {
  const { chosen, record } = await lab();
  for (const [path, must] of [
    ['own', /^must be an absolute path/],
    ['/own/busy', /^must not be there yet/],
    ['/own/none/x', /^must be in a cgroup that is there: \/own\/none is not/],
    ['/pods/1', /^must be right in the cgroup of its pod, \/pods\/1/],
    ['/pods/1/x/y', /^must be right in the cgroup/],
    ['/pods/2/x', /^must not be in the cgroup of another pod, \/pods\/2/],
  ] as const)
    assert.match((await chosen.hold(record('a'), path)) ?? '', must, path);
  assert.equal(await chosen.hold(record('b'), '/own/x'), undefined);
  assert.equal(await chosen.hold(record('c'), '/pods/1/x'), undefined);
});

test('ChosenCgroups: of two that are made at once for one cgroup, one gets it; it stays its own while it runs', async () => {
  const { chosen, record, show } = await lab();
  const answers = await Promise.all([chosen.hold(record('a'), '/own/x'), chosen.hold(record('b'), '/own/x')]);
  assert.equal(answers[0], undefined);
  assert.match(answers[1] ?? '', /^must not be that of container a/);
  show('a', 'Running', '/own/x');
  chosen.letGo('a');
  for (const path of ['/own/x', '/own/x/y', '/own'])
    assert.match((await chosen.hold(record('b'), path)) ?? '', /that of container a/, path);
  assert.equal(await chosen.hold(record('b'), '/own/x2'), undefined);
});

test('ChosenCgroups: what another has by now is not removed with a container that had it before', async () => {
  const all = await lab();
  all.show('a', 'Exited', '/own/x');
  assert.equal(await removal(all, 'a'), '/own/x');
  assert.equal(await all.chosen.hold(all.record('b'), '/own/x'), undefined);
  assert.equal(await removal(all, 'a'), undefined, 'b is being made');
  all.show('b', 'Running', '/own/x');
  all.chosen.letGo('b');
  assert.equal(await removal(all, 'a'), undefined, 'b runs');
  assert.ok(!all.chosen.isFree('gone', '/own/x'));
  all.show('b', 'Exited', '/own/x');
  assert.ok(all.chosen.isFree('gone', '/own/x'));
  assert.equal(await removal(all, 'b'), '/own/x');
});

test('ChosenCgroups: a creation waits for the removal of the one before it, and is refused where that has failed', async () => {
  const { chosen, record, show } = await lab();
  show('a', 'Exited', '/own/x');
  const removed = Promise.withResolvers<undefined>();
  const removing = chosen.removing(record('a'), NO_SPEC, async () => removed.promise);
  let answered = false;
  const held = chosen.hold(record('b'), '/own/x').finally(() => (answered = true));
  for (let turns = 0; turns < 5; turns += 1) await turn();
  assert.equal(answered, false);
  removed.resolve(undefined);
  await removing;
  assert.equal(await held, undefined);
  show('c', 'Exited', '/own/y');
  await assert.rejects(
    chosen.removing(record('c'), NO_SPEC, async () => Promise.reject(new Error('busy'))),
    /busy/,
  );
  assert.match((await chosen.hold(record('d'), '/own/y')) ?? '', /that of container c/);
});

test('ChosenCgroups: of one that was not finished the spec tells; a boot ends all of them', async (t) => {
  const directory = await scratchDirectory(t);
  const specFile = join(directory, 'config.json');
  const all = await lab();
  assert.equal(await removal(all, 'a', specFile), undefined);
  await writeFile(specFile, '{"linux":');
  assert.equal(await removal(all, 'a', specFile), undefined);
  await writeFile(specFile, JSON.stringify({ linux: { cgroupsPath: '/pods/1/a' } }));
  assert.equal(await removal(all, 'a', specFile), undefined);
  await writeFile(specFile, JSON.stringify({ linux: { cgroupsPath: '/own/x' } }));
  assert.equal(await removal(all, 'a', specFile), '/own/x');
  const later = await lab('another boot');
  later.show('a', 'Exited', '/own/x');
  assert.equal(await removal(later, 'a'), undefined);
});
