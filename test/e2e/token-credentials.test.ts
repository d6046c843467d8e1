/** Identity and registry tokens of the node: who gets them, by the wire, and that nobody else does. */
// long: 15 s
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atEnd } from '../support/at-end.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { failureOf } from '../support/pods.ts';
import { RecordingServer } from '../support/recording-server.ts';
import { RegistryFront } from '../support/registry-front.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';
import { assertSecretless, toldBy } from '../support/secrets.ts';
import { testImages } from '../support/test-image.ts';
import { TokenService } from '../support/token-service.ts';

const REPOSITORY = 'team/app';
const NAME = `private.test/${REPOSITORY}:1`;
const HELPER = 'pwtokens';
const ALL_ZERO = '00000000-0000-0000-0000-000000000000';

let service: TokenService;
/** What stands before the registry that wants tokens; it is what the daemon knows. */
let front: RegistryFront;
/** A mirror that asks for everything. */
let thief: RecordingServer;
let directory: string;

const test = sharedDaemon({
  images: [],
  skip: noRegistry,
  prepare: async () => {
    service = await TokenService.start();
    atEnd(async () => service.stop());
    const open = await TestRegistry.start();
    atEnd(async () => open.stop());
    await open.push((await testImages()).busybox, REPOSITORY, ['1']);
    const guarded = await TestRegistry.start({ contentOf: open, tokens: service.forRegistry });
    atEnd(async () => guarded.stop());
    front = await RegistryFront.start(guarded.url);
    atEnd(async () => front.stop());
    thief = await RecordingServer.start(({ url }, response) => {
      const asks = [`Bearer realm="http://${thief.host}/token",service="s"`, 'Basic realm="r"'];
      if (url.startsWith('/token')) response.end('{"token":"worthless"}');
      else response.writeHead(401, { 'www-authenticate': asks }).end();
    });
    atEnd(async () => thief.stop());
    ({ directory } = open);
    const conf = join(directory, 'registries.conf');
    await writeFile(
      conf,
      `[[registry]]\nprefix = "private.test"\nlocation = "${front.host}"\ninsecure = true\n` +
        `[[registry.mirror]]\nlocation = "${thief.host}"\ninsecure = true\n`,
    );
    await writeFile(
      join(directory, `docker-credential-${HELPER}`),
      `#!/bin/sh\nread -r host\nprintf '{"ServerURL":"%s","Username":"<token>","Secret":"%s"}' "$host" "$(cat ${directory}/secret)"\n`,
      { mode: 0o755 },
    );
    return {
      config: `registries_conf = "${conf}"\nregistries_conf_dir = "${conf}.d"\n[image]\nauth_files = ["${directory}/auth.json"]\n`,
      env: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
    };
  },
});

async function writeAuth(document: object): Promise<void> {
  await writeFile(join(directory, 'auth.json'), JSON.stringify(document), { mode: 0o600 });
}

async function pullAndRemove(daemon: TestDaemon): Promise<void> {
  const { imageRef } = await daemon.images.pullImage({ image: { image: NAME } });
  await daemon.images.removeImage({ image: { image: imageRef } });
}

/** Pulls, where the service must be asked with `secret` in the body of each request and nothing but its answer reaches the registry. */
async function pullByRefreshToken(daemon: TestDaemon, secret: string): Promise<void> {
  const before = [service.received.length, front.passed.length];
  await pullAndRemove(daemon);
  const asked = service.received.slice(before[0]);
  assert.ok(asked.length > 0);
  for (const { method, url, headers, body } of asked) {
    assert.deepEqual([method, url, headers.authorization], ['POST', '/token', undefined]);
    const { refresh_token: sent, grant_type: grant, scope } = Object.fromEntries(new URLSearchParams(body));
    assert.deepEqual([sent, grant, scope], [secret, 'refresh_token', `repository:${REPOSITORY}:pull`]);
  }
  const authorizations = front.passed.slice(before[1]).map(({ headers }) => headers.authorization);
  assert.ok(authorizations.filter((header) => header?.startsWith('Bearer ')).length >= 2);
  assert.ok(authorizations.every((header) => header === undefined || header.startsWith('Bearer ')));
  await assertKept(daemon, secret);
}

/** Nobody but who must know it has seen it. */
async function assertKept(daemon: TestDaemon, secret: string, errors: readonly string[] = []): Promise<void> {
  for (const text of [await toldBy(daemon), thief.text, ...errors]) assertSecretless(text, secret);
  assert.ok(thief.received.length > 0);
  if (!secret.startsWith('ey')) assertSecretless(front.text, secret);
}

test('an identity token of an auth file goes to the token service of its registry alone', async (daemon) => {
  const secret = service.refreshToken();
  await writeAuth({ auths: { [front.host]: { auth: btoa(`${ALL_ZERO}:`), identitytoken: secret } } });
  await pullByRefreshToken(daemon, secret);
});

test('so does the secret of a credential helper that answers with the user <token>', async (daemon) => {
  const secret = service.refreshToken();
  await writeFile(join(directory, 'secret'), secret, { mode: 0o600 });
  await writeAuth({ credHelpers: { [front.host]: HELPER } });
  await pullByRefreshToken(daemon, secret);
});

test('a registry token of an auth file goes to its registry as it is, and no service is asked', async (daemon) => {
  const secret = service.registryToken(REPOSITORY);
  await writeAuth({ auths: { [front.host]: { registrytoken: secret } } });
  const before = [service.received.length, front.passed.length];
  await pullAndRemove(daemon);
  assert.equal(service.received.length, before[0]);
  const authorizations = front.passed.slice(before[1]).map(({ headers }) => headers.authorization);
  assert.ok(authorizations.includes(`Bearer ${secret}`));
  await assertKept(daemon, secret);
});

test('tokens that do not open the registry fail the pull without being named', async (daemon) => {
  const refused = 'refresh-but-of-nobody-9713';
  await writeFile(join(directory, 'secret'), refused, { mode: 0o600 });
  for (const document of [
    { auths: { [front.host]: { identitytoken: refused } } },
    { credHelpers: { [front.host]: HELPER } },
    { auths: { [front.host]: { registrytoken: service.registryToken('team/other') } } },
  ]) {
    await writeAuth(document);
    const { code, message } = await failureOf(pullAndRemove(daemon));
    assert.equal(code, 'PERMISSION_DENIED', message);
    const secret = JSON.stringify(document).includes('registrytoken') ? /"(ey[^"]+)"/.exec(JSON.stringify(document))?.[1] : refused;
    await assertKept(daemon, secret ?? assert.fail(), [message]);
  }
});
