/** containerd's image verifier programs, and SIGHUP for the keys that say whose images may be pulled. */
// long: 30 s
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { PushedImage } from '../../scripts/push-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { failureOf, until } from '../support/pods.ts';
import { noRegistry } from '../support/registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { noSigning, simpleClaim, startTrustLab } from '../support/signing.ts';
import type { TrustLab } from '../support/signing.ts';

let registry: TestRegistry;
let lab: TrustLab;
let image: PushedImage & { readonly name: string };
const test = sharedDaemon({
  images: [],
  skip: noRegistry || noSigning,
  prepare: async () => {
    ({ registry, lab } = await startTrustLab());
    const layers = [await makeLayer([{ path: 'which', kind: 'file', data: 'verified' }])];
    image = { ...(await registry.push({ layers, config: {} }, 'verified', ['1'], 'oci-index')), name: `${registry.host}/verified:1` };
    return {
      config: `${await registry.daemonConfig({})}${lab.daemonConfig}verifier_bin_dir = "${lab.path('bin')}"\nverifier_timeout = "1500ms"\n`,
    };
  },
});

async function program(name: string, script: string, mode = 0o755): Promise<void> {
  await mkdir(lab.path('bin'), { recursive: true });
  await writeFile(lab.path('bin', name), `#!/bin/sh\n${script}\n`, { mode });
}

async function pulled(daemon: TestDaemon): Promise<void> {
  await daemon.images.pullImage({ image: { image: image.name } });
  await daemon.images.removeImage({ image: { image: image.name } });
}

async function refused(daemon: TestDaemon, words: RegExp): Promise<void> {
  const { code, message } = await failureOf(daemon.images.pullImage({ image: { image: image.name } }));
  assert.match(message, /^SignatureValidationFailed: /);
  assert.match(message, words);
  assert.equal(code, 'UNKNOWN');
  assert.equal((await daemon.images.imageStatus({ image: { image: image.name } })).image, undefined);
}

test('a verifier is told the name, the digest and the descriptor of what is pulled; its exit decides', async (daemon) => {
  await pulled(daemon); // the directory is missing
  await mkdir(lab.path('bin'));
  await pulled(daemon);
  await program(
    '10-yes',
    `printf '%s\\n' "$@" >${lab.path('args')}; cat >${lab.path('stdin')}; env >${lab.path('env')}; echo fine; echo said >&2`,
  );
  await pulled(daemon);
  assert.deepEqual((await readFile(lab.path('args'), 'utf8')).trimEnd().split('\n'), [
    '-name', image.name, '-digest', image.digest, '-stdin-media-type', 'application/vnd.oci.descriptor.v1+json',
  ]); // prettier-ignore
  const descriptor = JSON.parse(await readFile(lab.path('stdin'), 'utf8')) as { size: number };
  assert.deepEqual({ ...descriptor, size: 0 }, { mediaType: 'application/vnd.oci.image.index.v1+json', digest: image.digest, size: 0 });
  assert.ok(descriptor.size > 100);
  assert.match(await readFile(lab.path('env'), 'utf8'), /^PATH=/m);
  assert.match(await readFile(daemon.logFile, 'utf8'), /an image verifier said: said/);

  await program('20-no', 'echo "  not on a Friday "; exit 3');
  await program('30-after', `echo >${lab.path('after')}`);
  await refused(daemon, /verified:1: the verifier .*bin\/20-no refuses it \(exit code 3\): not on a Friday$/);
  assert.equal((await readdir(lab.directory)).includes('after'), false);
  // One that is here already is asked about as well.
  await remove(lab.path('bin', '20-no'));
  await daemon.images.pullImage({ image: { image: image.name } });
  await program('20-no', 'exit 1');
  const { message } = await failureOf(daemon.images.pullImage({ image: { image: image.name } }));
  assert.match(message, /20-no refuses it \(exit code 1\)$/);
  await daemon.images.removeImage({ image: { image: image.name } });
  await remove(lab.path('bin'));
});

test('a verifier that hangs, dies, cannot be started, reads nothing or says too much', async (daemon) => {
  await program('hang', `sleep 987654 & echo $! >${lab.path('child')}; wait`);
  const started = performance.now();
  await refused(daemon, /bin\/hang has no result: run hang .*: not finished after 1.5 s/);
  assert.ok(performance.now() - started < 8000);
  const child = Number(await readFile(lab.path('child'), 'utf8'));
  await until('its child is gone', () => {
    try {
      process.kill(child, 0);
      return Promise.resolve(false);
    } catch {
      return Promise.resolve(true);
    }
  });
  await remove(lab.path('bin'));
  await program('dies', 'kill -9 $$');
  await refused(daemon, /bin\/dies refuses it \(signal 9\)/);
  await remove(lab.path('bin'));
  await program('plain', 'exit 0', 0o644);
  await refused(daemon, /bin\/plain has no result: .*EACCES/);
  await remove(lab.path('bin'));
  await program('loud', 'exec <&-; head -c 300000 /dev/zero | tr "\\0" x; head -c 300000 /dev/zero | tr "\\0" y >&2');
  await pulled(daemon);
  await program('loud', 'head -c 300000 /dev/zero | tr "\\0" x; exit 1');
  await refused(daemon, /\(exit code 1\): x{1000}$/);
  await remove(lab.path('bin'));
  await writeFile(lab.path('bin'), 'a file');
  await refused(daemon, /image\.verifier_bin_dir .*bin: ENOTDIR/);
  await remove(lab.path('bin'));
});

test('SIGHUP: the policy, the directory of namespaces, registries.d and the verifiers are those of the new configuration', async (daemon) => {
  const home = lab.home;
  const key = await home.makeKey('signer');
  const keyPath = await home.writeKey(key, lab.path('keys', 'signer.asc'));
  const file = join(daemon.directory, 'conf.d', '50-trust.toml');
  const change = async (lines: string): Promise<void> => {
    await writeFile(file, `[image]\n${lines}\n`);
    const count = async (): Promise<number> => (await readFile(daemon.logFile, 'utf8')).split('configuration read again').length;
    const before = await count();
    process.kill(daemon.pid, 'SIGHUP');
    await until('the configuration is read again', async () => (await count()) > before);
  };
  const signed = { default: [{ type: 'signedBy', keyType: 'GPGKeys', keyPath }] };
  await writeFile(lab.path('signed.json'), JSON.stringify(signed));
  await mkdir(lab.path('other-policies'));
  await writeFile(lab.path('other-policies', 'closed.json'), JSON.stringify({ default: [{ type: 'reject' }] }));
  await mkdir(lab.path('other.d'));
  await writeFile(lab.path('other.d', 'a.yaml'), `default-docker:\n  lookaside: file://${lab.path('other-lookaside')}\n`);
  const directory = lab.path('other-lookaside', `verified@${image.manifestDigest.replace(':', '=')}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'signature-1'), await home.sign(key, simpleClaim(image.name, image.manifestDigest)));
  await mkdir(lab.path('other-bin'));
  await writeFile(lab.path('other-bin', 'a'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  await writeFile(lab.path('other-bin', 'b'), '#!/bin/sh\nsleep 0.4; exit 1\n', { mode: 0o755 });

  const closed = { image: { image: image.name }, sandboxConfig: { metadata: { name: 'p', namespace: 'closed', uid: 'u', attempt: 0 } } };
  await daemon.images.pullImage(closed);
  await daemon.images.removeImage({ image: { image: image.name } });
  let lines = `signature_policy = "${lab.path('signed.json')}"`;
  await change(lines);
  await refused(daemon, /signed\.json: default\[0\]: signedBy: .*none was found/);
  lines += `\nregistries_d = "${lab.path('other.d')}"`;
  await change(lines);
  await pulled(daemon);
  lines += `\nsignature_policy_dir = "${lab.path('other-policies')}"`;
  await change(lines);
  assert.match((await failureOf(daemon.images.pullImage(closed))).message, /other-policies\/closed\.json: default\[0\]: reject/);
  lines += `\nverifier_bin_dir = "${lab.path('other-bin')}"`;
  await change(lines);
  await refused(daemon, /other-bin\/b refuses it/);
  await change(`${lines}\nverifier_timeout = "200ms"`);
  await refused(daemon, /other-bin\/b has no result/);
  await change(`${lines}\nverifier_max = 1`);
  await pulled(daemon);
  assert.match(await readFile(daemon.logFile, 'utf8'), /1 image verifiers are left out: there are 2, image\.verifier_max is 1/);
  await remove(file);
});
