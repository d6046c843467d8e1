import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { addUserEntries } from '../../../src/container/user-entries.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import type { OciMount, OciSpec } from '../../../src/ocispec/oci-types.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { containerInput } from '../../support/spec-inputs.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\n';
const GROUP = 'root:x:0:\nstaff:x:50:\n';
const LINE = '4242:x:4242:50:4242 user:/home/me:/sbin/nologin\n';

interface Root {
  readonly path: string;
  readonly etc: string;
}

async function root(t: TestContext, files: Readonly<Record<string, string>> = { passwd: PASSWD, group: GROUP }): Promise<Root> {
  const path = await scratchDirectory(t);
  const etc = join(path, 'etc');
  await mkdir(etc);
  for (const [name, text] of Object.entries(files)) await writeFile(join(etc, name), text, { mode: 0o644 });
  return { path, etc };
}

/** Adds the entries of a user that no file has, of group 50 unless another is said. @returns the warnings. */
async function add(
  { path }: Root,
  how: { gid?: number; home?: string; env?: string[]; cwd?: string; mounts?: OciMount[]; base?: number } = {},
): Promise<string[]> {
  const { gid = 50, home, env = ['HOME=/home/me'], cwd = '/work', mounts = [], base } = how;
  const user = { uid: 4242, gid, additionalGids: [gid, 77], ...(home === undefined ? {} : { home }) };
  const input = containerInput({ user });
  const built = buildSpec(input);
  const spec: OciSpec = { ...built, mounts: [...built.mounts, ...mounts], process: { ...built.process, env, cwd } };
  const words: string[] = [];
  const ids = base === undefined ? undefined : { containerId: 0, hostId: base, length: 65_536 };
  const userMapping = ids && { uids: ids, gids: ids };
  await addUserEntries({ rootfsPath: path, user, userMapping, warn: (said) => words.push(said) }, spec);
  return words;
}

const bind = (destination: string): OciMount => ({ destination, type: 'bind', source: '/x', options: [] });

test('a user that the image does not know is added with its home; a known group, and supplemental ones, are not', async (t) => {
  const made = await root(t);
  await chmod(join(made.etc, 'passwd'), 0o444);
  assert.deepEqual(await add(made), []);
  assert.equal(await readFile(join(made.etc, 'passwd'), 'utf8'), PASSWD + LINE);
  assert.equal((await stat(join(made.etc, 'passwd'))).mode & 0o777, 0o444);
  assert.equal(await readFile(join(made.etc, 'group'), 'utf8'), GROUP);
});

test('a group that the image does not know is added, also where its file does not end with a line end', async (t) => {
  const made = await root(t, { passwd: PASSWD, group: 'root:x:0:\nother:x:4343000:' });
  await add(made, { gid: 4343, home: '/known' });
  assert.equal(await readFile(join(made.etc, 'passwd'), 'utf8'), PASSWD, 'the user is known');
  assert.equal(await readFile(join(made.etc, 'group'), 'utf8'), 'root:x:0:\nother:x:4343000:\n4343:x:4343:\n');
});

test('files that are missing or empty, that the user may write, or that a mount hides stay as they are', async (t) => {
  const untouched = async (made: Root, how: Parameters<typeof add>[1] = {}): Promise<void> => {
    assert.deepEqual(await add(made, { gid: 4343, ...how }), []);
    assert.equal(await readFile(join(made.etc, 'passwd'), 'utf8').catch(() => PASSWD), PASSWD);
    assert.equal(await readFile(join(made.etc, 'group'), 'utf8').catch(() => GROUP), GROUP);
  };
  await untouched(await root(t, {}));
  const empty = await root(t, { passwd: '', group: '' });
  await add(empty, { gid: 4343 });
  assert.equal(await readFile(join(empty.etc, 'passwd'), 'utf8'), '');
  await untouched(await root(t), { mounts: [bind('/etc/')] });
  await untouched(await root(t), { mounts: [bind('/etc/passwd'), bind('/etc/group')] });

  const ofGroup = await root(t);
  for (const name of ['passwd', 'group']) await chmod(join(ofGroup.etc, name), 0o664);
  await untouched(ofGroup);
  const own = await root(t);
  for (const name of ['passwd', 'group']) await chown(join(own.etc, name), 4242, 0);
  await untouched(own);
});

test('the home is HOME or the working directory, and neither can make another line or field', async (t) => {
  const homeOf = async (env: string[], cwd: string): Promise<string | undefined> => {
    const made = await root(t);
    await add(made, { env, cwd });
    const lines = (await readFile(join(made.etc, 'passwd'), 'utf8')).split('\n');
    assert.equal(lines.length, 3);
    return lines[1]?.split(':')[5];
  };
  assert.equal(await homeOf(['HOME=/h'], '/w'), '/h');
  assert.equal(await homeOf(['HOME='], '/w'), '/w');
  assert.equal(await homeOf([], '/w'), '/w');
  assert.equal(await homeOf(['HOME=/h\nevil:x:0:0::/:/bin/sh'], '/w'), '/w');
  assert.equal(await homeOf(['HOME=/h:/bin/sh'], '/w\rx'), '/');
});

test('a link of the image stays inside, and is replaced and not written through', async (t) => {
  const made = await root(t, { group: GROUP });
  await mkdir(join(made.path, 'usr'));
  await writeFile(join(made.path, 'usr/passwd'), PASSWD);
  await symlink('/../usr/passwd', join(made.etc, 'passwd'));
  await add(made);
  assert.ok((await lstat(join(made.etc, 'passwd'))).isFile());
  assert.equal(await readFile(join(made.etc, 'passwd'), 'utf8'), PASSWD + LINE);
  assert.equal(await readFile(join(made.path, 'usr/passwd'), 'utf8'), PASSWD);
});

test('a file of a pod with a user namespace keeps its owner', async (t) => {
  const made = await root(t);
  await chown(join(made.etc, 'passwd'), 100_000, 100_000);
  await add(made, { base: 100_000 });
  const { uid, gid } = await stat(join(made.etc, 'passwd'));
  assert.deepEqual([uid, gid], [100_000, 100_000]);
  assert.equal(await readFile(join(made.etc, 'passwd'), 'utf8'), PASSWD + LINE);
  const own = await root(t);
  await chown(join(own.etc, 'passwd'), 104_242, 100_000);
  await add(own, { base: 100_000 });
  assert.equal(await readFile(join(own.etc, 'passwd'), 'utf8'), PASSWD, 'the user may write it itself');
});

test('what cannot be added is told, and no reason to fail', async (t) => {
  const made = await root(t, { passwd: PASSWD });
  await mkdir(join(made.etc, 'group'));
  const words = await add(made, { gid: 4343 });
  assert.equal(words.length, 1);
  assert.match(words[0] ?? '', /entry for its user can be added to \/etc\/group: .*EISDIR/);
});
