import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedUser, resolveUser } from '../../../src/ocispec/user.ts';
import type { ResolvedUser } from '../../../src/ocispec/user.ts';
import { securityContext } from '../../support/spec-inputs.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# comment:x:5:5::/:
+nis::::::
web:x:1000:2000:Web:/home/web:/bin/sh
broken:x:one:2::/:
nohome:x:1001:2001:::
web:x:9:9:second:/no:/bin/sh
`;
const GROUP = `root:x:0:
staff:x:50:web, nohome
video:x:44:other,web
web:x:2000:
`;

const FILES: Readonly<Record<string, string>> = { '/etc/passwd': PASSWD, '/etc/group': GROUP };

async function resolve(
  request: Parameters<typeof securityContext>[0] | undefined,
  imageUser?: string,
  files = FILES,
): Promise<ResolvedUser> {
  const context = request === undefined ? undefined : securityContext(request);
  return resolveUser('/rootfs', askedUser(context, { User: imageUser }), async (root, path) => {
    assert.equal(root, '/rootfs');
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return Buffer.from(text);
  });
}

const uid = (value: bigint): { runAsUser: { value: bigint } } => ({ runAsUser: { value } });

test('resolveUser() finds the user of the image in each of its forms', async () => {
  const web = { uid: 1000, gid: 2000, additionalGids: [44, 50, 2000], home: '/home/web' };
  const found = await Promise.all(
    ['', 'web', '1000', 'web:staff', '1000:7', '4242', '4242:4243', 'web:', ':50'].map((user) => resolve(undefined, user)),
  );

  assert.deepStrictEqual(found, [
    { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    web,
    web,
    { ...web, gid: 50, additionalGids: [44, 50] },
    { ...web, gid: 7, additionalGids: [7, 44, 50] },
    { uid: 4242, gid: 0, additionalGids: [0] },
    { uid: 4242, gid: 4243, additionalGids: [4243] },
    web,
    { uid: 0, gid: 50, additionalGids: [50], home: '/root' },
  ]);
});

test('resolveUser() lets the request take the place of the image, group and all', async () => {
  const found = await Promise.all([
    resolve(uid(1001n), 'web:staff'),
    resolve({ runAsUsername: 'nohome' }, 'web'),
    resolve({ ...uid(1000n), runAsGroup: { value: 3n } }),
    resolve({ runAsUsername: 'web', runAsGroup: { value: 0n } }),
    resolve({}, 'web'),
    resolve({ runAsUsername: '1000' }),
  ]);

  assert.deepStrictEqual(found, [
    { uid: 1001, gid: 2001, additionalGids: [50, 2001], home: '/' },
    { uid: 1001, gid: 2001, additionalGids: [50, 2001], home: '/' },
    { uid: 1000, gid: 3, additionalGids: [3, 44, 50], home: '/home/web' },
    { uid: 1000, gid: 0, additionalGids: [0, 44, 50], home: '/home/web' },
    { uid: 1000, gid: 2000, additionalGids: [44, 50, 2000], home: '/home/web' },
    { uid: 1000, gid: 2000, additionalGids: [44, 50, 2000], home: '/home/web' },
  ]);
});

test('resolveUser() merges supplemental groups, or takes them alone when Strict', async () => {
  const merged = await resolve({ ...uid(1000n), supplementalGroups: [1234n, 50n] });
  const strict = await resolve({ ...uid(1000n), supplementalGroups: [1234n], supplementalGroupsPolicy: 1 });

  assert.deepStrictEqual(
    [merged.additionalGids, strict.additionalGids],
    [
      [44, 50, 1234, 2000],
      [1234, 2000],
    ],
  );
});

test('resolveUser() works in an image without user files, by numbers', async () => {
  assert.deepStrictEqual(await resolve(uid(5n), undefined, {}), { uid: 5, gid: 0, additionalGids: [0] });
  await assert.rejects(resolve({ runAsUsername: 'web' }, undefined, {}), {
    kind: 'InvalidArgument',
    message: /"web" is not in the image's \/etc\/passwd/,
  });
});

test('resolveUser() refuses requests that contradict themselves or do not fit', async () => {
  await assert.rejects(resolve({ runAsGroup: { value: 1n } }), { kind: 'InvalidArgument', message: /run_as_group is given without/ });
  await assert.rejects(resolve({ ...uid(1n), runAsUsername: 'web' }), { kind: 'InvalidArgument', message: /must be one of them/ });
  await assert.rejects(resolve(uid(-1n)), { kind: 'InvalidArgument' });
  await assert.rejects(resolve(uid(0xffff_ffffn)), { kind: 'InvalidArgument' });
  await assert.rejects(resolve({ supplementalGroups: [-5n] }), { kind: 'InvalidArgument' });
  await assert.rejects(resolve(undefined, 'web:nogroup'), { kind: 'InvalidArgument', message: /group "nogroup"/ });
  await assert.rejects(resolve(undefined, '99999999999999999999'), { kind: 'InvalidArgument' });
});

test('resolveUser() does not take an unreadable file for a missing one', async () => {
  const loop = async (): Promise<Uint8Array> => Promise.reject(Object.assign(new Error('loop'), { code: 'ELOOP' }));

  await assert.rejects(resolveUser('/rootfs', askedUser(undefined, {}), loop), {
    kind: 'FailedPrecondition',
    message: /\/etc\/(passwd|group) cannot be read/,
  });
});
