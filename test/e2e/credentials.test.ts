/** Credentials of the node and of the request: each opens the registry that asks for it, and is seen nowhere else. */
// long: 10 s
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { atEnd } from '../support/at-end.ts';
import { crictlCommand, noCrictl } from '../support/crictl.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { failureOf } from '../support/pods.ts';
import { RecordingServer } from '../support/recording-server.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../support/registry.ts';
import { assertSecretless, toldBy } from '../support/secrets.ts';
import { testImages } from '../support/test-image.ts';

const { username, password } = ACCOUNT;
const WRONG = 'wr0ng-pass-word';
let guarded: TestRegistry;
let thief: RecordingServer;
let authFile: string;
const test = sharedDaemon({
  images: [],
  skip: noRegistry,
  prepare: async () => {
    guarded = await TestRegistry.start({ private: true });
    atEnd(async () => guarded.stop());
    await guarded.push((await testImages()).busybox, 'team/app', ['1']);
    // It asks for credentials in every way, and names itself as the token service.
    thief = await RecordingServer.start(({ url }, response) => {
      const asks = [`Bearer realm="http://${thief.host}/token",service="s"`, 'Basic realm="r"'];
      if (url.startsWith('/token')) response.end('{"token":"worthless"}');
      else response.writeHead(401, { 'www-authenticate': asks }).end();
    });
    atEnd(async () => thief.stop());
    const conf = join(guarded.directory, 'registries.conf');
    authFile = join(guarded.directory, 'auth.json');
    const rule = `prefix = "private.test"\nlocation = "${guarded.host}"\ninsecure = true`;
    const stranger = `location = "${thief.host}"\ninsecure = true`;
    await writeFile(
      conf,
      `[[registry]]\n${rule}\n[[registry.mirror]]\n${stranger}\n` +
        `[[registry]]\nprefix = "cached.test"\nlocation = "${thief.host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "${guarded.host}"\ninsecure = true\n`,
    );
    return { config: `registries_conf = "${conf}"\nregistries_conf_dir = "${conf}.d"\n[image]\nauth_files = ["${authFile}"]\n` };
  },
});

async function writeAuth(secret: string): Promise<void> {
  const auth = Buffer.from(`${username}:${secret}`).toString('base64');
  await writeFile(authFile, JSON.stringify({ auths: { [guarded.host]: { auth } } }), { mode: 0o600 });
}

const formsOf = (secret: string): string[] => {
  const plain = `${username}:${secret}`;
  return [btoa(plain), encodeURIComponent(plain)];
};

test('what opens a registry and its mirror is seen nowhere else', async (daemon) => {
  const pull = async (image: string, auth?: object) => daemon.images.pullImage({ image: { image }, auth: auth as never });
  const errors: string[] = [];
  await writeAuth(WRONG);
  for (const auth of [
    undefined,
    { username, password: WRONG },
    { auth: btoa(`${username}:${WRONG}`) },
    { identityToken: WRONG },
    { registryToken: WRONG },
  ]) {
    const { code, message } = await failureOf(pull('private.test/team/app:1', auth));
    assert.equal(code, 'PERMISSION_DENIED', message);
    errors.push(message);
  }
  await writeFile(authFile, `{"auths": {"${guarded.host}": {"auth": "${btoa(WRONG)}"}}}`);
  errors.push((await failureOf(pull('private.test/team/app:1'))).message);
  assert.match(errors.at(-1) ?? '', /auth\.json: auths\["[\d.:]+"\]\.auth: must be base64 of USER:PASSWORD/);

  await writeAuth(password);
  for (const [name, auth] of [
    ['private.test/team/app:1', undefined],
    ['private.test/team/app:1', ACCOUNT],
    ['cached.test/team/app:1', undefined],
    ['cached.test/team/app:1', { username, password: WRONG }],
  ] as const) {
    // prettier-ignore
    const { imageRef } = await pull(name, auth);
    await daemon.images.removeImage({ image: { image: imageRef } });
  }
  const told = await toldBy(daemon);
  for (const secret of [password, WRONG]) {
    for (const text of [told, ...errors, thief.text]) assertSecretless(text, secret, formsOf(secret));
  }
  assert.ok(thief.received.length > 0);
  assert.doesNotMatch(thief.text, /authorization":"Basic/);
});

test('crictl pulls with --creds, and without by auth.json', async (daemon, context) => {
  if (noCrictl !== false) {
    context.skip(noCrictl);
    return;
  }
  const crictl = async (...args: string[]) => (await execa(...(await crictlCommand(daemon, args)))).stdout;
  const name = 'private.test/team/app:1';
  await writeAuth(WRONG);
  await assert.rejects(crictl('pull', name), /401/);
  await crictl('pull', '--creds', `${username}:${password}`, name);
  await crictl('rmi', name);
  await writeAuth(password);
  await crictl('pull', name);
  await crictl('rmi', name);
});
