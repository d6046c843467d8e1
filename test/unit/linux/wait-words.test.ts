import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountInfo } from '../../../src/linux/mountinfo.ts';
import { isServed, lockHolder, meaningOf, parseStack, parseSystemCall, servedMounts } from '../../../src/linux/wait-words.ts';

/** As Linux 6.18 wrote them. */
const FUSE = `[<0>] fuse_get_req+0x1ce/0x2b0
[<0>] __fuse_simple_request+0x3a/0x330
[<0>] fuse_lookup_name+0xbf/0x220
[<0>] path_openat+0xba6/0x12d0
[<0>] do_sys_openat2+0x6e/0xd0
[<0>] do_syscall_64+0x71/0x280
[<0>] entry_SYSCALL_64_after_hwframe+0x76/0x7e
`;
const FLOCK = `[<0>] locks_lock_inode_wait+0x82/0x180
[<0>] __do_sys_flock+0x1a3/0x1e0
[<0>] do_syscall_64+0x71/0x280
`;
const FUTEX = `[<0>] futex_do_wait+0x46/0x90
[<0>] __futex_wait+0x8a/0x100
[<0>] __x64_sys_futex+0x112/0x210
`;
const FIFO = '[<0>] wait_for_partner+0x5c/0x100\n[<0>] fifo_open+0x2d9/0x330\n[<0>] path_openat+0x7fe/0x12d0\n';
const PIPE = '[<0>] anon_pipe_read+0x366/0x410\n[<0>] vfs_read+0x32c/0x360\n[<0>] ksys_read+0xba/0xe0\n';
const TCP = '[<0>] wait_woken+0x89/0x90\n[<0>] sk_wait_data+0x172/0x190\n[<0>] tcp_recvmsg_locked+0x21d/0x9e0\n';
const CHILD = '[<0>] do_wait+0x53/0x120\n[<0>] kernel_wait4+0x9c/0x140\n';
const NFS =
  '[<0>] rpc_wait_bit_killable+0x1e/0xa0 [sunrpc]\n[<0>] __rpc_execute+0x115/0x420 [sunrpc]\n[<0>] nfs4_do_call_sync+0x1/0x2 [nfsv4]\n';

const LOCKS = `1: FLOCK  ADVISORY  WRITE 782 fe:00:9977916 0 EOF
1: -> FLOCK  ADVISORY  WRITE 783 fe:00:9977916 0 EOF
2: POSIX  ADVISORY  WRITE 788 fe:00:9977857 0 EOF
3: OFDLCK ADVISORY  READ -1 fe:00:9978596 201 201
3: -> OFDLCK ADVISORY  WRITE 790 fe:00:9978596 201 201
`;

function threadIn(stack: string, state = 'S'): Parameters<typeof meaningOf>[0] {
  return { state, wchan: '', stack: parseStack(stack), systemCall: '' };
}

test('a stack is the names of its functions, and of their modules', () => {
  assert.deepEqual(parseStack(FLOCK), ['locks_lock_inode_wait', '__do_sys_flock', 'do_syscall_64']);
  assert.deepEqual(parseStack(NFS).slice(0, 1), ['rpc_wait_bit_killable [sunrpc]']);
  assert.deepEqual(parseStack(''), []);
  assert.deepEqual(parseStack('no stack at all\n[<0>]\n'), []);
  assert.equal(parseStack(FLOCK.repeat(1000)).length, 24);
});

test('what a thread waits for is told by its stack', () => {
  const words = (stack: string, state?: string): string | undefined => meaningOf(threadIn(stack, state)).words;
  assert.equal(words(FUSE, 'D'), 'the answer of a FUSE file system');
  assert.equal(words(NFS, 'D'), 'the answer of an NFS server');
  assert.equal(words(FLOCK), 'a file lock');
  assert.equal(words(FUTEX), 'another of its threads');
  assert.equal(words(FIFO), 'the other side of a FIFO to be opened');
  assert.equal(words(PIPE), 'input from a pipe');
  assert.equal(words(TCP), 'a peer of the network');
  assert.equal(words(CHILD), 'a child process');
  assert.equal(words('[<0>] something_else+0x1/0x2\n'), undefined);
});

test('where there is no stack, the wait channel and the system call tell it', () => {
  const facts = { state: 'D', stack: [], systemCall: '' };
  assert.equal(meaningOf({ ...facts, wchan: 'fuse_get_req' }).words, 'the answer of a FUSE file system');
  assert.equal(meaningOf({ ...facts, wchan: '', systemCall: 'flock', state: 'S' }).words, 'a file lock');
  assert.equal(meaningOf({ ...facts, wchan: '' }).words, undefined);
});

test('the thread that is stuck in the kernel tells more than those that wait for it', () => {
  const order = [
    threadIn(FUSE, 'D'),
    threadIn('[<0>] something_else+0x1/0x2\n', 'D'),
    threadIn(FLOCK),
    threadIn(TCP),
    { ...threadIn(''), state: 'R' },
    threadIn(PIPE),
    threadIn(CHILD),
    threadIn(FUTEX),
  ].map((facts) => meaningOf(facts).weight);
  assert.deepEqual(
    order,
    order.toSorted((one, other) => other - one),
    order.join(),
  );
});

test('a system call is named, with its descriptor', () => {
  const line = '73 0x9 0x2 0x5 0x0 0x0 0x0 0x7fffd14500d8 0x7f2034107897';
  assert.deepEqual(parseSystemCall(line, 'x64'), { name: 'flock', fd: 9 });
  assert.deepEqual(parseSystemCall('32 0x9 0x2 0x5 0x0 0x0 0x0 0x7fff 0x7f20', 'arm64'), { name: 'flock', fd: 9 });
  assert.deepEqual(parseSystemCall('257 0xffffff9c 0x7ffdfc143a98 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a', 'x64'), { name: 'openat' });
  assert.deepEqual(parseSystemCall('999 0x1 0x0 0x0 0x0 0x0 0x0 0x0 0x0', 'x64'), { name: 'system call 999' });
  assert.deepEqual(parseSystemCall('73 0x9', 'riscv64'), { name: 'system call 73' });
  for (const none of ['running', '-1 0x7ffd 0x7f3a', '']) assert.equal(parseSystemCall(none, 'x64'), undefined);
});

test('the holder of an awaited lock is the one above it', () => {
  assert.equal(lockHolder(LOCKS, 783), 782);
  assert.equal(lockHolder(LOCKS, 790), -1);
  assert.equal(lockHolder(LOCKS, 782), undefined);
  assert.equal(lockHolder('', 1), undefined);
});

test('what does not answer is one of the mounts of its kind', () => {
  const mounts = parseMountInfo(`63 43 0:39 / /data rw,relatime shared:1 - fuse.sshfs host:/data rw,user_id=0
64 43 0:40 / /sys/fs/fuse/connections rw - fusectl none rw
65 43 0:41 / /home rw - nfs4 nas:/home rw,vers=4.2
66 43 254:0 / / rw - ext4 /dev/vda rw
67 43 8:1 / /usb rw - fuseblk /dev/sda1 rw`);
  const targets = (words: string): string[] => servedMounts(words, mounts).map(({ target }) => target);
  assert.deepEqual(targets('the answer of a FUSE file system'), ['/data', '/usb']);
  assert.deepEqual(targets('the answer of an NFS server'), ['/home']);
  assert.deepEqual(targets('a disk'), []);
  const served = [FUSE, NFS, FLOCK, PIPE].map((stack) => isServed(meaningOf(threadIn(stack)).words));
  assert.deepEqual(served, [true, true, false, false]);
});
