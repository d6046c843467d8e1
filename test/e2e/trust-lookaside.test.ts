/** A lookaside by https: whose certificate it may have. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { remove } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import { atEnd } from '../support/at-end.ts';
import { extension, makeCertificate } from '../support/certificates.ts';
import type { MadeCertificate } from '../support/certificates.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { listenUntilEnd } from '../support/listen.ts';
import { failureOf, until } from '../support/pods.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';
import { noSigning, simpleClaim, startTrustLab } from '../support/signing.ts';
import type { TrustLab } from '../support/signing.ts';

const LOOPBACK = '7f000001';
const authority = makeCertificate({ subject: 'registry CA', extensions: [extension.authority(true), extension.keyUsage(0x04)] });
const otherAuthority = makeCertificate({ subject: 'lookaside CA', extensions: [extension.authority(true), extension.keyUsage(0x04)] });

let plain: TestRegistry;
let registry: TestRegistry;
let lab: TrustLab;
let key: string;
const signatures = new Map<string, Uint8Array>();

const test = sharedDaemon({
  images: [],
  skip: noRegistry || noSigning,
  prepare: async () => {
    ({ registry: plain, lab } = await startTrustLab());
    key = await lab.home.makeKey('signer');
    await lab.home.writeKey(key, lab.path('keys', 'signer.asc'));
    const { pem, key: secret } = serverCertificate(authority);
    await writeFile(lab.path('server.pem'), pem);
    await writeFile(lab.path('server.key'), secret.export({ type: 'pkcs8', format: 'pem' }));
    registry = await TestRegistry.start({ tls: { certificate: lab.path('server.pem'), key: lab.path('server.key') }, contentOf: plain });
    atEnd(async () => registry.stop());
    await trusted(registry.host, authority);
    return { config: `${await plain.daemonConfig({})}registry_certs_dirs = ["${lab.path('certs')}"]\n${lab.daemonConfig}` };
  },
});

function serverCertificate(issuer: MadeCertificate): MadeCertificate {
  return makeCertificate({ subject: 'server', issuer, extensions: [extension.names([`ip:${LOOPBACK}`])] });
}

/** Says that a host may have what an authority has signed. */
async function trusted(host: string, { pem }: MadeCertificate): Promise<void> {
  await mkdir(lab.path('certs', host), { recursive: true });
  await writeFile(lab.path('certs', host, 'ca.crt'), pem);
}

/** A lookaside of our signatures. @returns its host */
async function startLookaside(issuer: MadeCertificate): Promise<string> {
  const { pem, key: secret } = serverCertificate(issuer);
  const server = createServer({ cert: pem, key: secret.export({ type: 'pkcs8', format: 'pem' }) }, (request, response) => {
    const bytes = signatures.get(request.url ?? '');
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  return await listenUntilEnd(server);
}

/** An image that only a signature in the lookaside of this host lets in. */
async function pushSigned(repository: string, lookaside: string): Promise<string> {
  const layers = [await makeLayer([{ path: 'which', kind: 'file', data: repository }])];
  const { manifestDigest } = await plain.push({ layers, config: {} }, repository, ['1']);
  const name = `${registry.host}/${repository}:1`;
  signatures.set(`/sigs/${repository}@${manifestDigest.replace(':', '=')}/signature-1`, await lab.home.sign(key, simpleClaim(name, manifestDigest))); // prettier-ignore
  await writeFile(
    lab.path('registries.d', 'web.yaml'),
    `docker:\n  ${registry.host}/${repository}:\n    lookaside: https://${lookaside}/sigs\n`,
  );
  await lab.writePolicy({ default: [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: lab.path('keys', 'signer.asc') }] });
  return name;
}

async function pull(daemon: TestDaemon, image: string): Promise<void> {
  await daemon.images.pullImage({ image: { image } }, { timeoutMs: 60_000 });
}

test("a lookaside by https may have what the registry's own authorities have signed", async (daemon) => {
  const name = await pushSigned('web/registry', await startLookaside(authority));
  await pull(daemon, name);
  await daemon.images.removeImage({ image: { image: name } });
});

test("a lookaside by https goes by its host's directory of registry_certs_dirs, where it has one", async (daemon) => {
  const lookaside = await startLookaside(otherAuthority);
  const name = await pushSigned('web/own', lookaside);
  const { message } = await failureOf(pull(daemon, name));
  assert.match(message, new RegExp(`^RegistryUnavailable: pull .*https://${lookaside}/sigs/web/own@.*certificate`));
  await trusted(lookaside, otherAuthority);
  await until('the new authority counts', async () => pull(daemon, name).then(() => true, () => false)); // prettier-ignore
  await daemon.images.removeImage({ image: { image: name } });
  await trusted(lookaside, authority);
  await until('another authority counts', async () => pull(daemon, name).then(() => false, (error: unknown) => /certificate/.test(String(error)))); // prettier-ignore
  await daemon.images.removeImage({ image: { image: name } }); // a pull before the change was seen may have been let in
  await remove(lab.path('certs', lookaside));
});
