/** What names of images mean: aliases, short-name-mode, a tag with a digest, keys that have no effect. */
// long: 60 s
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { FaultyRegistry } from '../support/faulty-registry.ts';
import { failureOf, until } from '../support/pods.ts';

const LONG = { timeoutMs: 60_000 };
const SEARCH = ['one.test', 'two.test'];

/** A registry that both search registries are, with repositories of its own for each. */
async function registry(): Promise<{ readonly registry: FaultyRegistry; readonly manifest: string }> {
  const started = await FaultyRegistry.start();
  const layers = [await makeLayer([{ path: 'f', kind: 'file', data: 'x' }])];
  const { manifest } = started.addImage({ config: {}, layers }, 'one/app', '1');
  started.addImage({ config: { Env: ['WHICH=two'] }, layers }, 'two/app', '1');
  started.addImage({ config: { Env: ['WHICH=team'] }, layers }, 'team/app', '1');
  return { registry: started, manifest };
}

class Files {
  readonly #daemon: TestDaemon;
  readonly #host: string;

  constructor(daemon: TestDaemon, host: string) {
    this.#daemon = daemon;
    this.#host = host;
  }

  async start(): Promise<void> {
    const { directory } = this.#daemon;
    await mkdir(join(directory, 'registries.conf.d'));
    const keys = {
      registries_conf: 'registries.conf',
      registries_conf_dir: 'registries.conf.d',
      short_name_aliases: 'aliases.conf',
    };
    const lines = Object.entries(keys).map(([key, name]) => `${key} = "${join(directory, name)}"\n`);
    await writeFile(join(directory, 'conf.d', '10-registries.toml'), lines.join(''));
    const places = { 'one.test': 'one', 'two.test': 'two', 'team.test': 'team' };
    const rules = Object.entries(places).map(
      ([prefix, path]) => `[[registry]]\nprefix = "${prefix}"\nlocation = "${this.#host}/${path}"\ninsecure = true\n`,
    );
    await this.write('registries.conf.d/10-places.conf', rules.join(''));
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.#daemon.directory, name), text);
  }

  async reload(): Promise<void> {
    const count = async (): Promise<number> => (await readFile(this.#daemon.logFile, 'utf8')).split('configuration read again').length;
    const before = await count();
    process.kill(this.#daemon.pid, 'SIGHUP');
    await until('the configuration is read again', async () => (await count()) > before);
  }
}

async function removeImages(daemon: TestDaemon): Promise<void> {
  const { images } = await daemon.images.listImages({});
  for (const { id } of images) await daemon.images.removeImage({ image: { image: id } });
}

async function names(daemon: TestDaemon): Promise<string[]> {
  const { images } = await daemon.images.listImages({});
  return images.flatMap(({ repoTags }) => repoTags).sort();
}

e2eTest(
  'an alias is what its name means, for a pull and for all that looks for the image',
  async (daemon, t) => {
    const { registry: served } = await registry();
    t.after(async () => served.stop());
    const files = new Files(daemon, served.host);
    await files.start();
    const search = `unqualified-search-registries = ${JSON.stringify(SEARCH)}\n`;
    await files.write('registries.conf', `${search}[aliases]\napp = "team.test/app"\nempty = "team.test/app"\n`);
    await files.write('registries.conf.d/20-drop-in.conf', '[aliases]\nempty = ""\n');
    await daemon.restart();
    await daemon.images.pullImage({ image: { image: 'app:1' } }, LONG);
    assert.deepEqual(await names(daemon), ['team.test/app:1']);
    assert.ok((await daemon.images.imageStatus({ image: { image: 'app:1' } })).image);
    await daemon.images.removeImage({ image: { image: 'app:1' } });
    assert.deepEqual(await names(daemon), []);
    const { message } = await failureOf(daemon.images.pullImage({ image: { image: 'empty:1' } }, LONG));
    assert.match(message, /pull two\.test\/empty:1/, 'an alias that a drop-in takes away leaves the search registries');

    await files.write('aliases.conf', '[aliases]\napp = "two.test/app"\n');
    await files.reload();
    await daemon.images.pullImage({ image: { image: 'app:1' } }, LONG);
    assert.deepEqual(await names(daemon), ['two.test/app:1'], 'recorded aliases come first');
    await removeImages(daemon);
  },
  { images: [] },
);

e2eTest(
  'with short-name-mode enforcing a name that may mean two registries is refused in words, until it has an alias',
  async (daemon, t) => {
    const { registry: served } = await registry();
    t.after(async () => served.stop());
    const files = new Files(daemon, served.host);
    await files.start();
    const search = (registries: string[]): string => `unqualified-search-registries = ${JSON.stringify(registries)}\n`;
    await files.write('registries.conf', `short-name-mode = "enforcing"\n${search(SEARCH)}`);
    await daemon.restart();
    const refused = await failureOf(daemon.images.pullImage({ image: { image: 'app:1' } }, LONG));
    assert.equal(refused.code, 'INVALID_ARGUMENT');
    assert.match(refused.message, /pull app:1: it may mean one\.test\/app:1, two\.test\/app:1, and short-name-mode is enforcing/);
    assert.deepEqual(served.requests, []);

    await files.write('registries.conf', `short-name-mode = "enforcing"\n${search(['two.test'])}`);
    await files.reload();
    await daemon.images.pullImage({ image: { image: 'app:1' } }, LONG);
    assert.deepEqual(await names(daemon), ['two.test/app:1']);

    await files.write('registries.conf', `short-name-mode = "permissive"\n${search(SEARCH)}`);
    await files.reload();
    await daemon.images.pullImage({ image: { image: 'app:1' } }, LONG);
    assert.deepEqual(await names(daemon), ['one.test/app:1', 'two.test/app:1']);
    await removeImages(daemon);
  },
  { images: [] },
);

e2eTest(
  'of a name with tag and digest the digest decides; the tag becomes no name, and may be one that is not there',
  async (daemon, t) => {
    const { registry: served, manifest } = await registry();
    t.after(async () => served.stop());
    const files = new Files(daemon, served.host);
    await files.start();
    await files.write('registries.conf', '[aliases]\napp = "one.test/app"\n');
    await daemon.restart();
    for (const name of [`one.test/app:no-such-tag@${manifest}`, `app:1@${manifest}`]) {
      await daemon.images.pullImage({ image: { image: name } }, LONG);
      const { images } = await daemon.images.listImages({});
      assert.deepEqual(
        images.map(({ repoTags, repoDigests }) => ({ repoTags, repoDigests })),
        [{ repoTags: [], repoDigests: [`one.test/app@${manifest}`] }],
        name,
      );
      assert.ok((await daemon.images.imageStatus({ image: { image: name } })).image, name);
      await daemon.images.removeImage({ image: { image: name } });
      assert.deepEqual(await daemon.images.listImages({}), { images: [] }, name);
    }
    assert.ok(!served.requests.some((request) => request.includes('no-such-tag')), served.requests.join('\n'));
  },
  { images: [] },
);

e2eTest(
  'a key of registries.conf that has no effect is named in the log once, with its file',
  async (daemon, t) => {
    const { registry: served } = await registry();
    t.after(async () => served.stop());
    const files = new Files(daemon, served.host);
    await files.start();
    await files.write('registries.conf', 'colour = "red"\n');
    await daemon.restart();
    const told = `${join(daemon.directory, 'registries.conf')}: colour is not known here, and has no effect`;
    const said = async (): Promise<number> => (await readFile(daemon.logFile, 'utf8')).split(told).length - 1;
    const before = await said();
    assert.ok(before === 1, `it is said ${before} times`);
    await files.reload();
    assert.equal(await said(), before);
  },
  { images: [] },
);
