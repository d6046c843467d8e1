// long: 30 s
/** Records of other versions: those of earlier ones are read, those of later ones end the start before it changes anything. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { VERSION } from '../../src/base/version.ts';
import { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { earlierBuild, noEarlierBuild } from '../support/earlier-build.ts';
import { containerStatus, execOutput, runContainer, runPod, shell } from '../support/pods.ts';
import { makeObjects, putRecords, readyPods, RECORDS, shapeOf, told } from '../support/record-fixtures.ts';

/** What the code of today writes. */
const NEWEST = `${VERSION}-unreleased`;
const versions = (await readdir(RECORDS, { withFileTypes: true })).filter((each) => each.isDirectory()).map(({ name }) => name);

for (const version of versions) {
  test(`every pod, container and image of records of ${version} is read after a reboot`, { timeout: 180_000 }, async () => {
    const daemon = await TestDaemon.prepare();
    try {
      const made = await putRecords(version, daemon.root);
      await daemon.start();

      assert.deepEqual(await told(daemon), made);
      assert.deepEqual(await readyPods(daemon), []);
      assert.deepEqual(await readdir(join(daemon.root, 'bad')).catch(() => []), []);
      assert.ok((await readFile(join(daemon.root, 'version'), 'utf8')).startsWith(`podwright ${VERSION}, records 1.`));
    } finally {
      await daemon.destroy();
      await removeAddressDirectories(version);
    }
  });
}

/** The attachments name the directory of addresses of the test that made them, and host-local makes it anew for their DEL. */
async function removeAddressDirectories(version: string): Promise<void> {
  for (const entry of await readdir(join(RECORDS, version), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.json')) continue;
    const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
    for (const [directory] of text.matchAll(/\/tmp\/pw-\w{6}(?=\/cni-data")/g)) await remove(directory);
  }
}

e2eTest(
  'records have the fields of the newest fixture: one that changes wants a new fixture (test/fixtures/records/keep.ts)',
  async (daemon) => {
    await makeObjects(daemon);
    await daemon.kill9();
    const [now, kept] = [await shapeOf(daemon.root), await shapeOf(join(RECORDS, NEWEST, 'root'))];
    await daemon.start();

    assert.deepEqual(
      { more: now.filter((field) => !kept.includes(field)), less: kept.filter((field) => !now.includes(field)) },
      { more: [], less: [] },
    );
  },
  { images: ['busybox', 'layers', 'user'] },
);

/** Who runs in a container, and who a command in it is. */
async function seenIn(daemon: TestDaemon, id: string): Promise<unknown> {
  const { state, startedAt } = await containerStatus(daemon, id);
  const facts = 'grep -E "^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; env | sort';
  return { state, startedAt, pid: await pidOf(daemon, id), command: await execOutput(daemon, id, shell(facts)) };
}

e2eTest(
  'an upgrade from an earlier build and the way back: each one runs commands in containers of the other, which run on',
  async (daemon) => {
    const earlier = await earlierBuild();
    try {
      const made: { id: string; seen: unknown }[] = [];
      const make = async (): Promise<void> => {
        const id = await runContainer(daemon, await runPod(daemon), ['sleep', '3600']);
        made.push({ id, seen: await seenIn(daemon, id) });
      };
      const look = async (): Promise<void> => {
        for (const { id, seen } of made) assert.deepEqual(await seenIn(daemon, id), seen);
      };
      await daemon.restart(earlier.env);
      await make();
      const kept = await readdir(join(daemon.root, 'containers', made[0]?.id ?? ''));
      assert.ok(!kept.includes('process.json'), 'a build that keeps no process object');
      await daemon.restart();
      await look();
      await make();
      await daemon.restart(earlier.env);
      await look();
      await daemon.restart();
      await look();
    } finally {
      await earlier.remove();
    }
  },
  { skip: noEarlierBuild },
);

/** Every file of a directory that is no tree of an image or a container, with what is in it. */
async function filesOf(root: string): Promise<Readonly<Record<string, string>>> {
  const paths = await readdir(root, { recursive: true, withFileTypes: true });
  const own = paths.filter((each) => each.isFile() && !/\/(fs|diff|work)(\/|$)/.test(each.parentPath));
  const read = own.map(async ({ parentPath, name }) => [join(parentPath, name), await readFile(join(parentPath, name), 'latin1')] as const);
  return Object.fromEntries(await Promise.all(read));
}

for (const kind of ['containers', 'sandboxes', 'storage/images', 'cni/attachments']) {
  e2eTest(`a record of a later version in ${kind} ends the start, which says how to go back and changes nothing`, async (daemon) => {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, ['sleep', '3600']);
    const before = await containerStatus(daemon, id);
    await daemon.kill9();
    const [file = assert.fail(`no record in ${kind}`)] = (await readdir(join(daemon.root, kind), { recursive: true }))
      .filter((path) => /(^[^/]+|\/record)\.json$/.test(path))
      .map((path) => join(daemon.root, kind, path));
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/"version":\s*\d+/, '"version":999'));
    await writeFile(join(daemon.root, 'version'), 'podwright 9.8.7, records 999\n');
    const files = await filesOf(daemon.root);
    await daemon.launch();
    await daemon.ended();

    const log = await daemon.logTail();
    const words = `${file} is of version 999, podwright ${VERSION} reads up to 1. podwright 9.8.7 has worked on this root. Nothing was changed`;
    assert.ok(log.includes(words), log);
    assert.deepEqual(await filesOf(daemon.root), files);
    await writeFile(file, text);
    await daemon.start();
    assert.deepEqual(await containerStatus(daemon, id), before);
    assert.equal(await execOutput(daemon, id, ['echo', 'runs on']), 'runs on');
  });
}
