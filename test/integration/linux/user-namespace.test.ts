import assert from 'node:assert/strict';
import { chown, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LAYERS, isPinned, pinNamespaces, unpinNamespaces } from '../../../src/linux/namespaces.ts';
import { readMounts } from '../../../src/linux/mounts.ts';
import { run } from '../../../src/linux/spawn.ts';
import { withNewUserNamespace } from '../../../src/linux/user-namespace.ts';
import { unshareProgram } from '../../../src/linux/unshare-program.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const IDS = { containerId: 0, hostId: 300_000, length: 70_000 };
const USER = { uids: IDS, gids: { ...IDS, hostId: 400_000 } };
const ALL = { net: true, ipc: true, uts: true, loopback: true, user: USER };
const OWN_CHILDREN = `/proc/${process.pid}/task/${process.pid}/children`;

/** Runs a script as root of the pinned namespaces. */
async function inside(directory: string, script: string): Promise<string> {
  const enter = ['user', 'net', 'ipc', 'uts'].map((kind) => `--${kind}=${join(directory, kind)}`);
  const { exit, stdout, stderr } = await run('nsenter', { args: [...enter, '--', 'sh', '-ec', script], timeoutMs: 20_000 });
  assert.equal(exit.code, 0, stderr.toString());
  return stdout.toString().trim();
}

test('pinNamespaces with a user namespace: the others belong to it, and nothing but pins is left of their making', async (t) => {
  const directory = join(await scratchDirectory(t), 'pod');
  const sysctls = {
    'net.core.somaxconn': '77',
    'net.ipv4.ping_group_range': '0 2147483647',
    'kernel.msgmax': '9000',
    'fs.mqueue.msg_max': '17',
  };
  pinNamespaces(directory, { ...ALL, hostname: 'web-0', sysctls });
  t.after(() => {
    unpinNamespaces(directory);
  });
  assert.equal((await readFile(OWN_CHILDREN, 'utf8').catch(() => '')).trim(), '');
  for (const kind of ['net', 'ipc', 'uts', 'user']) assert.equal(isPinned(join(directory, kind)), true, kind);
  const script =
    'id -u; tr -s " " < /proc/self/uid_map; tr -s " " < /proc/self/gid_map; hostname; cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max';
  assert.deepEqual((await inside(directory, script)).split('\n').map((line) => line.trim()), ['0', '0 300000 70000', '0 400000 70000', 'web-0', '77', '9000', '17']); // prettier-ignore
  // Root of the user namespace rules over each of the others, which it could not if they were the node's.
  await inside(directory, 'ip link add name br0 type bridge; hostname other; echo 9001 > /proc/sys/kernel/msgmax');
});

test('a directory of layers is shown with the ids of the namespace, to read only, and goes with its pins', async (t) => {
  const root = await scratchDirectory(t);
  const [directory, layers] = [join(root, 'pod'), join(root, 'layers')];
  await mkdir(join(layers, 'one'), { recursive: true });
  await writeFile(join(layers, 'one/file'), 'x');
  await chown(join(layers, 'one/file'), 1000, 2000);
  pinNamespaces(directory, { ...ALL, net: false, loopback: false, layers });
  const shown = join(directory, LAYERS, 'one/file');
  const { uid, gid } = await lstat(shown);
  assert.deepEqual([uid, gid], [301_000, 402_000]);
  await assert.rejects(writeFile(shown, 'y'), { code: 'EROFS' });
  unpinNamespaces(directory);
  assert.deepEqual(await readdir(root), ['layers']);
  assert.deepEqual((await readMounts()).filter(({ target }) => target.startsWith(root)), []); // prettier-ignore
});

test('what fails half-way leaves nothing: ids that the kernel refuses, layers that are not there', async (t) => {
  const root = await scratchDirectory(t);
  const bad = { ...USER, gids: { ...IDS, hostId: 2 ** 32 - 1 } };
  assert.throws(() => { pinNamespaces(join(root, 'a'), { ...ALL, user: bad }); }, { code: 'EINVAL', path: /gid_map$/ }); // prettier-ignore
  assert.throws(() => { pinNamespaces(join(root, 'b'), { ...ALL, layers: join(root, 'none') }); }, { code: 'ENOENT', syscall: 'open_tree' }); // prettier-ignore
  assert.deepEqual(await readdir(root), []);
  assert.deepEqual((await readMounts()).filter(({ target }) => target.startsWith(root)), []); // prettier-ignore
  assert.equal((await readFile(OWN_CHILDREN, 'utf8').catch(() => '')).trim(), '');
});

test('withNewUserNamespace ends its process where the work fails', async () => {
  let pid = 0;
  const work = (made: number): never => {
    pid = made;
    throw new Error('of the work');
  };
  assert.throws(() => withNewUserNamespace(USER, 0, work), /of the work/);
  await assert.rejects(lstat(`/proc/${pid}`), { code: 'ENOENT' });
});

test('withNewUserNamespace says which limit of the node is reached', async () => {
  // The limit of a user namespace of its own: that of the node is everybody's.
  const program = `
    import { withNewUserNamespace } from ${JSON.stringify(join(import.meta.dirname, '../../../src/linux/user-namespace.ts'))};
    const ids = { containerId: 0, hostId: 0, length: 1 };
    try { withNewUserNamespace({ uids: ids, gids: ids }, 0, () => undefined); } catch (error) { console.log(error.kind, error.message); }`;
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" --input-type=module -e "$1"';
  const args = ['--user', '--map-root-user', '--', 'sh', '-ec', script, process.execPath, program];
  const { stdout, stderr } = await run('unshare', { args, timeoutMs: 30_000 });
  assert.match(stdout.toString(), /^FailedPrecondition make a user namespace: .* user\.max_user_namespaces and/, stderr.toString());
});

test('unshareProgram() is a small static program for x64 and arm64, and nothing for others', () => {
  const programs = ['x64', 'arm64'].map((architecture) => Buffer.from(unshareProgram(architecture)));
  assert.deepEqual(programs.map((bytes) => [bytes.length < 300, bytes.toString('latin1', 1, 4), bytes.readUInt16LE(18)]), [[true, 'ELF', 62], [true, 'ELF', 183]]); // prettier-ignore
  assert.throws(() => unshareProgram('ia32'), { kind: 'Unimplemented' });
});
