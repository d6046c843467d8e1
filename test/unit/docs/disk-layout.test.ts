import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskLayout } from '../../../src/config/disk-layout.ts';
import { Bundle } from '../../../src/container/bundle.ts';
import { ExecFiles } from '../../../src/container/exec-files.ts';
import { SandboxPaths } from '../../../src/podsandbox/sandbox-paths.ts';
import { WritableLayer } from '../../../src/storage/writable-layer.ts';
import { documentedPaths, matcherOf } from '../../support/disk-layout.ts';

const ID = 'a'.repeat(64);
const IDS = { containerId: 0, hostId: 100_000, length: 65_536 };

/** Every path that an object tells, by the name it tells it by. */
function pathsOf(object: object): [string, string][] {
  const found: [string, string][] = [];
  for (let type = Object.getPrototypeOf(object) as object; type !== Object.prototype; type = Object.getPrototypeOf(type) as object) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      const value: unknown = get?.call(object);
      if (typeof value === 'string') found.push([`${object.constructor.name}.${name}`, value]);
    }
  }
  return [
    ...found,
    ...Object.entries(object).map(([name, path]): [string, string] => [`${object.constructor.name}.${name}`, String(path)]),
  ];
}

test('every path that a class tells has a line in docs/disk-layout.md, or is a directory of some', async () => {
  const layout = new DiskLayout({ root: 'ROOT', runDir: 'RUN', imagestore: '' });
  const { sandboxFiles: files, namespaces, infra, networkCgroups } = layout;
  const sandbox = new SandboxPaths({ files, namespaces, infra, networkCgroups }, ID);
  const container = new Bundle(`${layout.bundles}/${ID}`, `${layout.containerRecords}/${ID}`);
  const named = sandbox.namespacesOf({ namespaces: { net: 'pod', ipc: 'pod', pid: 'container', user: { uids: IDS, gids: IDS } } });
  const paths = [
    ...[
      layout,
      sandbox,
      sandbox.infra,
      container,
      new ExecFiles(`${layout.execs}/x`),
      new WritableLayer(`${layout.writableLayers}/${ID}`),
    ].flatMap(pathsOf),
    ...Object.entries(named),
    ['runtimeRoot', layout.runtimeRoot('runc')] as const,
    ['imageVolume', container.imageVolume(1)] as const,
  ];
  const documented = (await documentedPaths()).flatMap((path) => {
    const parts = path.replace(/\/$/, '').split('/');
    return [matcherOf(path), ...parts.map((_, index) => matcherOf(parts.slice(0, index + 1).join('/')))];
  });

  assert.ok(paths.length >= 50, String(paths.length));
  assert.deepEqual(paths.filter(([, path]) => !documented.some((matcher) => matcher.test(path))), []); // prettier-ignore
});

test('docs/disk-layout.md names each file once', async () => {
  const documented = await documentedPaths();
  assert.ok(documented.length >= 60, String(documented.length));
  assert.equal(new Set(documented).size, documented.length);
});
