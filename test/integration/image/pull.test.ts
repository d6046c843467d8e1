// long: 25 s
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthConfig } from '../../../api/cri/runtime.ts';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../../scripts/make-demo-image.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { ImagePuller } from '../../../src/image/pull.ts';
import type { PullCredentials } from '../../../src/image/pull-credentials.ts';
import { credentialsOf } from '../../../src/imageservice/pull-image.ts';
import { RegistriesConf } from '../../../src/registry/registries-conf.ts';
import { RegistryClient } from '../../../src/registry/registry-client.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { writeJson } from 'fs-extra/esm';
import { silentLog } from '../../../src/base/log.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { Gpg } from '../../../src/trust/gpg.ts';
import { ImageTrust } from '../../../src/trust/image-trust.ts';

const NAME = 'registry.example/team/app:1';
/** Ends a pull that hangs. */
const limit = (): AbortSignal => AbortSignal.timeout(120_000);

async function image(megabytes = 0): Promise<Omit<ImageSource, 'name'>> {
  const noise = Buffer.alloc(megabytes << 20);
  for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE((at * 2654435761) >>> 0, at);
  return {
    config: { Cmd: ['/app'] },
    layers: [
      await makeLayer([{ path: 'base', kind: 'file', data: 'base' }]),
      await makeLayer([{ path: 'noise', kind: 'file', data: noise }], 'none'),
      await makeLayer([{ path: 'top', kind: 'file', data: 'top' }], 'zstd'),
    ],
  };
}

interface Bench {
  readonly stores: ImageStorage;
  readonly puller: ImagePuller;
  readonly root: string;
}

async function bench(t: TestContext, conf: string, trust?: ImageTrust): Promise<Bench> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  await writeFile(join(scratch, 'registries.conf'), conf);
  const registries = await RegistriesConf.load(join(scratch, 'registries.conf'), join(scratch, 'none'));
  const stores = await startImageStorage(root);
  const registry = new RegistryClient(() => registries, { idleTimeoutMs: () => 5000, connectTimeoutMs: 2000 });
  const puller = new ImagePuller(stores, {
    registry,
    parallelDownloads: () => 2,
    platform: { os: 'linux', architecture: 'amd64' },
    shortNames: () => registries.shortNames,
    ...(trust === undefined ? {} : { trust }),
  });
  t.after(async () => {
    await registry.close();
    await stores.close();
  });
  return { stores, puller, root };
}

function trustBy(signaturePolicy: string): ImageTrust {
  const places = { signaturePolicy, signaturePolicyDir: '', registriesD: '', verifierBinDir: '', verifierMax: 0, verifierTimeoutMs: 0 };
  const gpg = new Gpg('', {});
  return new ImageTrust({ places: () => places, gpg, parseName: parseReference, environment: {}, log: silentLog });
}

async function serve(t: TestContext, options: FaultyRegistryOptions = {}): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  return registry;
}

function auth(fields: Partial<AuthConfig>): PullCredentials | undefined {
  return credentialsOf({ username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '', ...fields });
}

test('an image is pulled by tag, by digest, and again', async (t) => {
  for (const form of ['oci', 'docker'] as const) {
    const registry = await serve(t);
    const { stores, puller, root } = await bench(t, registry.conf);
    const { manifest, config } = registry.addImage(await image(), 'team/app', '1', form);

    const byTag = await puller.pull(NAME, undefined, limit());
    assert.equal(byTag.id, config);
    assert.deepEqual(byTag.names, [NAME]);
    assert.deepEqual(byTag.digests, [`registry.example/team/app@${manifest}`]);
    assert.equal(stores.layers.lowerDirs(byTag.chain).length, 3);
    const before = registry.requests.length;

    assert.deepEqual((await puller.pull(NAME, undefined, limit())).names, [NAME]);
    const byDigest = await puller.pull(`registry.example/team/app@${manifest}`, undefined, limit());
    assert.equal(byDigest.id, config);
    assert.deepEqual(byDigest.names, [NAME]);
    // What is here is not fetched again.
    assert.deepEqual(
      registry.requests.slice(before).filter((line) => line.includes('/blobs/')),
      [],
    );
    await stores.images.remove(byTag.id);
    assert.deepEqual(await inventoryOf(root), []);
    assert.deepEqual((await puller.pull(`registry.example/team/app:7@${manifest}`, undefined, limit())).names, []);
  }
});

test('an index gives the manifest of the platform, and both digests are names of it', async (t) => {
  const registry = await serve(t);
  const { stores, puller } = await bench(t, registry.conf);
  const { manifest, config } = registry.addImage(await image(), 'team/app', 'amd64-only');
  const other = registry.addImage({ config: {}, layers: [] }, 'team/app', 'other');
  const entry = (digest: string, architecture: string, os = 'linux') => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size: 1,
    platform: { os, architecture },
  });
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [entry(other.manifest, 'unknown', 'unknown'), entry(other.manifest, 'arm64'), entry(manifest, 'amd64')],
  };
  const indexDigest = registry.add('team/app', 'manifests', Buffer.from(JSON.stringify(index)), index.mediaType, '1');
  const foreign = { ...index, manifests: [entry(other.manifest, 's390x')] };
  registry.add('team/app', 'manifests', Buffer.from(JSON.stringify(foreign)), index.mediaType, 'foreign');

  const record = await puller.pull(NAME, undefined, limit());
  assert.equal(record.id, config);
  assert.deepEqual([...record.digests].sort(), [manifest, indexDigest].map((digest) => `registry.example/team/app@${digest}`).sort());
  assert.equal(stores.images.resolve(`registry.example/team/app@${indexDigest}`)?.id, config);
  await assert.rejects(puller.pull('registry.example/team/app:foreign', undefined, limit()), {
    kind: 'NotFound',
    message: /no image is for linux\/amd64, there are linux\/s390x/,
  });
});

test('credentials of every kind are taken, wrong ones refused', async (t) => {
  const encoded = Buffer.from('user:secret\0').toString('base64');
  const basic = await serve(t, { auth: 'basic' });
  const bearer = await serve(t, { auth: 'bearer' });
  const good: [FaultyRegistry, PullCredentials | undefined][] = [
    [basic, auth({ username: 'user', password: 'secret' })],
    [basic, auth({ auth: encoded })],
    [basic, auth({ auth: encoded, serverAddress: 'https://registry.example/v2/' })],
    [bearer, auth({ username: 'user', password: 'secret' })],
    [bearer, auth({ identityToken: 'refresh' })],
    [bearer, auth({ registryToken: 'good-token' })],
  ];
  for (const [registry, credentials] of good) {
    registry.addImage(await image(), 'team/app', '1');
    const { puller } = await bench(t, registry.conf);
    assert.deepEqual((await puller.pull(NAME, credentials, limit())).names, [NAME]);
  }
  const bad: [FaultyRegistry, PullCredentials | undefined][] = [
    [basic, undefined],
    [basic, auth({ username: 'user', password: 'wrong' })],
    [basic, auth({ auth: encoded, serverAddress: 'elsewhere.example' })],
    [bearer, undefined],
    [bearer, auth({ username: 'user', password: 'wrong' })],
    [bearer, auth({ registryToken: 'bad-token' })],
  ];
  for (const [registry, credentials] of bad) {
    const { puller, root } = await bench(t, registry.conf);
    await assert.rejects(puller.pull(NAME, credentials, limit()), { kind: 'PermissionDenied' });
    assert.deepEqual(await inventoryOf(root), []);
  }
  // Once a registry has said what it wants, it is asked with that at first.
  const { puller } = await bench(t, bearer.conf);
  const before = bearer.authorizations.length;
  await puller.pull(NAME, auth({ username: 'user', password: 'secret' }), limit());
  assert.equal(bearer.authorizations.slice(before).filter((header) => header === '-').length, 1);
});

test('credentials do not follow a redirect to another host', async (t) => {
  const storage = await serve(t);
  const content = await image();
  storage.addImage(content, 'team/app', '1');
  const registry = await serve(t, {
    auth: 'basic',
    fault: (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end();
      return true;
    },
  });
  registry.addImage(content, 'team/app', '1');
  const { puller } = await bench(t, registry.conf);
  await puller.pull(NAME, auth({ username: 'user', password: 'secret' }), limit());
  assert.equal(storage.requests.length, 4);
  assert.deepEqual(new Set(storage.authorizations), new Set(['-']));
});

test('a stream that breaks is taken up where it broke, also where the registry knows no ranges', async (t) => {
  for (const ranges of [true, false]) {
    let breaks = 0;
    const registry = await serve(t, {
      ranges,
      fault: (request, response) => {
        if (request.url?.includes(big) !== true || breaks >= 3) return false;
        breaks += 1;
        const start = ranges ? Number(/\d+/.exec(request.headers.range ?? '0')?.[0] ?? 0) : 0;
        const rest = blob.subarray(start);
        response.writeHead(start > 0 ? 206 : 200, {
          'content-length': rest.length,
          ...(start > 0 ? { 'content-range': `bytes ${start}-${blob.length - 1}/${blob.length}` } : {}),
        });
        response.write(rest.subarray(0, 700_000 * breaks), () => setTimeout(() => response.destroy(), 20));
        return true;
      },
    });
    const content = await image(4);
    const { blob, digest: big } = content.layers[1]!;
    registry.addImage(content, 'team/app', '1');
    const { puller } = await bench(t, registry.conf);
    const record = await puller.pull(NAME, undefined, limit());
    assert.equal(breaks, 3);
    assert.equal(record.layers[1]?.sizeBytes, blob.length);
  }
});

test('answers that pass are asked for again, others are reported by kind, and the registry is quoted', async (t) => {
  let failures = 0;
  const registry = await serve(t, {
    fault: (request, response) => {
      if (request.url?.includes('/manifests/flaky') === true && failures++ < 2) {
        response.writeHead(503).end();
        return true;
      }
      if (request.url?.includes('/manifests/busy') === true) {
        response.writeHead(429, { 'retry-after': '0' }).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}');
        return true;
      }
      return false;
    },
  });
  registry.addImage(await image(), 'team/app', 'flaky');
  const { puller, root } = await bench(
    t,
    `${registry.conf}[[registry]]\nprefix = "dead.example"\nlocation = "127.0.0.1:1"\ninsecure = true\n[[registry]]\nprefix = "blocked.example"\nblocked = true\n`,
  );
  const refused = async (name: string, kind: string, message: RegExp): Promise<void> => {
    await assert.rejects(puller.pull(name, undefined, limit()), { kind, message }, name);
  };
  await refused('registry.example/team/app:absent', 'NotFound', /answered 404 \(not found\): NAME_UNKNOWN: not known here/);
  await refused(
    'registry.example/team/app:busy',
    'RegistryUnavailable',
    /^RegistryUnavailable: pull registry.example\/team\/app:busy: .*429.*slow down/,
  );
  await refused('dead.example/app:1', 'RegistryUnavailable', /^RegistryUnavailable: .*ECONNREFUSED/);
  await refused('no-such-host.invalid/app:1', 'RegistryUnavailable', /^RegistryUnavailable: .*(ENOTFOUND|EAI_AGAIN)/);
  await refused('blocked.example/app:1', 'PermissionDenied', /blocked in registries.conf/);
  await refused('UPPER case', 'InvalidArgument', /image reference/);
  assert.deepEqual(await inventoryOf(root), []);
  assert.equal((await puller.pull('registry.example/team/app:flaky', undefined, limit())).names[0], 'registry.example/team/app:flaky');
});

test('mirrors are asked first, without credentials, and the registry when they fail', async (t) => {
  const content = await image();
  const [mirror, registry] = [await serve(t), await serve(t, { auth: 'basic' })];
  registry.addImage(content, 'team/app', '1');
  const { puller } = await bench(
    t,
    `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "${mirror.host}/copy"\ninsecure = true\n`,
  );
  await puller.pull(NAME, auth({ username: 'user', password: 'secret' }), limit());
  assert.equal(mirror.requests[0], 'GET /v2/copy/team/app/manifests/1');
  assert.deepEqual(new Set(mirror.authorizations), new Set(['-']));
  assert.ok(registry.requests.length >= 5);
});

test('a short name is looked for in the search registries in turn', async (t) => {
  const [first, second] = [await serve(t), await serve(t)];
  second.addImage(await image(), 'app', '1');
  const { puller } = await bench(
    t,
    `unqualified-search-registries = ["${first.host}", "${second.host}"]\n[[registry]]\nlocation = "${first.host}"\ninsecure = true\n[[registry]]\nlocation = "${second.host}"\ninsecure = true\n`,
  );
  assert.deepEqual((await puller.pull('app:1', undefined, limit())).names, [`${second.host}/app:1`]);
  assert.equal(first.requests.length, 1);
});

test('content that is not what its digest says is refused and leaves nothing', async (t) => {
  const content = await image(1);
  const evil = await image(2);
  const sizes = {
    longer: evil.layers[1]!.blob,
    other: Buffer.alloc(content.layers[1]!.blob.length, 7),
    short: content.layers[1]!.blob.subarray(0, 1000),
  };
  for (const [name, bytes] of Object.entries(sizes)) {
    const registry = await serve(t, {
      fault: (request, response) => {
        if (request.url?.includes(content.layers[1]!.digest) !== true) return false;
        response.end(bytes);
        return true;
      },
    });
    registry.addImage(content, 'team/app', '1');
    const { puller, root } = await bench(t, registry.conf);
    await assert.rejects(
      puller.pull(NAME, undefined, limit()),
      (error) =>
        error instanceof DaemonError &&
        (name === 'short' ? error.kind === 'RegistryUnavailable' : ['FailedPrecondition', 'InvalidArgument'].includes(error.kind)),
      name,
    );
    assert.deepEqual(await inventoryOf(root), [], name);
  }
  const lying = await serve(t, {
    fault: (request, response) => {
      if (request.url?.includes('/manifests/sha256:') !== true) return false;
      response
        .writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' })
        .end('{"schemaVersion":2,"config":{},"layers":[]}');
      return true;
    },
  });
  const { puller } = await bench(t, lying.conf);
  await assert.rejects(puller.pull(`registry.example/team/app@sha256:${'0'.repeat(64)}`, undefined, limit()), {
    kind: 'FailedPrecondition',
    message: /must be sha256:0000/,
  });
});

test('an image that the policy refuses costs its manifest alone', async (t) => {
  const registry = await serve(t);
  const { config } = registry.addImage(await image(), 'team/app', '1');
  const policy = join(await scratchDirectory(t), 'policy.json');
  await writeJson(policy, { default: [{ type: 'reject' }] });
  const { puller } = await bench(t, registry.conf, trustBy(policy));
  await assert.rejects(puller.pull(NAME, undefined, limit()), { kind: 'SignatureValidationFailed' });
  assert.deepEqual(registry.requests, ['GET /v2/team/app/manifests/1']);
  await writeJson(policy, { default: [{ type: 'insecureAcceptAnything' }] });
  await puller.pull(NAME, undefined, limit());
  assert.ok(registry.requests.includes(`GET /v2/team/app/blobs/${config}`));
});

test('equal pulls are one, pulls with other credentials are their own', async (t) => {
  const registry = await serve(t, {
    auth: 'basic',
    fault: async (request) => {
      if (request.url?.includes('/manifests/') === true) await sleep(200);
      return false;
    },
  });
  registry.addImage(await image(), 'team/app', '1');
  const { puller } = await bench(t, registry.conf);
  const good = auth({ username: 'user', password: 'secret' });
  const results = await Promise.allSettled([
    puller.pull(NAME, good, limit()),
    puller.pull(NAME, good, limit()),
    puller.pull(NAME, undefined, limit()),
    puller.pull(NAME, good, limit()),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  // Two pulls ask for the manifest without, and one with credentials.
  assert.equal(registry.requests.filter((line) => line.includes('/manifests/')).length, 3);
});

test('a pull that begins when an equal one has just failed is its own, or has the failure of that one', async (t) => {
  const registry = await serve(t);
  const { puller } = await bench(t, registry.conf);
  for (let turns = 0; turns < 20; turns += 1) {
    const ended: number[] = [];
    const second = Promise.withResolvers<unknown>();
    const stop = puller.onEnded(({ id }) => {
      ended.push(id);
      if (ended.length > 1) return;
      const later = async (): Promise<void> => {
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        await puller.pull(NAME, undefined, limit());
      };
      later().then(second.resolve, second.resolve);
    });
    await assert.rejects(puller.pull(NAME, undefined, limit()), { kind: 'NotFound' });
    assert.ok((await second.promise) instanceof DaemonError);
    stop();
    assert.equal(new Set(ended).size, ended.length, `${turns} turns later`);
  }
});

test('a deadline ends the call at once, and the pull when its last caller has left', async (t) => {
  const content = await image(1);
  const registry = await serve(t, {
    fault: async (request) => {
      if (request.url?.includes(content.layers[1]!.digest) === true) await sleep(60_000, undefined, { ref: false });
      return false;
    },
  });
  registry.addImage(content, 'team/app', '1');
  const { puller, root } = await bench(t, registry.conf);
  const deadline = (ms: number): AbortSignal => {
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort(new DaemonError('DeadlineExceeded', 'the call took too long'));
    }, ms);
    return controller.signal;
  };
  const started = Date.now();
  await assert.rejects(puller.pull(NAME, undefined, deadline(1)), { kind: 'DeadlineExceeded' });
  assert.ok(Date.now() - started < 500);

  const [short, long] = [puller.pull(NAME, undefined, deadline(300)), puller.pull(NAME, undefined, deadline(4000))];
  await assert.rejects(short, { kind: 'DeadlineExceeded' });
  assert.equal(puller.inProgress.length, 1);
  for (const end = Date.now() + 3000; puller.inProgress[0]?.layers[0]?.state !== 'unpacked' && Date.now() < end;) await sleep(10);
  assert.equal(puller.inProgress[0]?.layers.length, 3);
  assert.equal(puller.inProgress[0].layers[0]?.state, 'unpacked');
  await assert.rejects(long, { kind: 'DeadlineExceeded' });
  for (const end = Date.now() + 5000; (await inventoryOf(root)).length > 0 && Date.now() < end;) await sleep(10);
  assert.deepEqual(await inventoryOf(root), []);
});

test('a registry that stops sending fails the pull when it has received nothing for the time set, not for a multiple of it', async (t) => {
  const content = await image(1);
  const registry = await serve(t, {
    fault: (request, response) => {
      if (request.url?.includes(content.layers[1]!.digest) !== true) return false;
      response.writeHead(200, { 'content-length': content.layers[1]!.blob.length });
      if (request.headers.range === undefined) response.write(content.layers[1]!.blob.subarray(0, 1000));
      return true;
    },
  });
  registry.addImage(content, 'team/app', '1');
  const scratch = await scratchDirectory(t);
  await writeFile(join(scratch, 'conf'), registry.conf);
  const conf = await RegistriesConf.load(join(scratch, 'conf'), '/nonexistent');
  const stores = await startImageStorage(scratch);
  const client = new RegistryClient(() => conf, { idleTimeoutMs: () => 500 });
  t.after(async () => {
    await client.close();
    await stores.close();
  });
  const puller = new ImagePuller(stores, {
    registry: client,
    parallelDownloads: () => 3,
    platform: { os: 'linux', architecture: 'amd64' },
    stallTimeoutMs: () => 2000,
  });
  const started = Date.now();
  await assert.rejects(puller.pull(NAME, undefined, limit()), {
    kind: 'RegistryUnavailable',
    message: /^RegistryUnavailable: .*received (nothing|only \d+ bytes) in 2 s .*timeout/,
  });
  const tookMs = Date.now() - started;
  assert.ok(tookMs >= 2000 && tookMs < 4000, `it took ${tookMs} ms`);
  assert.deepEqual(await inventoryOf(scratch), []);
});
