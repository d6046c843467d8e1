/** `podwright debug-bundle`: all that a report needs, nothing that is secret, whatever the daemon does. */
import assert from 'node:assert/strict';
import { glob, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { ensureDir, outputFile, remove } from 'fs-extra/esm';
import { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { HungMount, noFuse } from '../support/hung-mount.ts';
import { createContainer, execSync, podConfig, runContainer, until } from '../support/pods.ts';

/** Each is planted in another place; none may be in the archive. */
const SECRETS = {
  environment: 'planted-environment-4711',
  annotation: 'planted-annotation-4711',
  label: 'planted-label-4711',
  argument: 'planted-argument-4711',
  podAnnotation: 'planted-pod-annotation-4711',
  defaultEnv: 'planted-default-env-4711',
  proxy: 'planted-proxy-4711',
  authFile: 'planted-auth-4711',
  header: 'planted-header-4711',
  log: 'planted-log-4711',
  bad: 'planted-bad-4711',
} as const;

interface Bundle {
  readonly table: string;
  readonly files: ReadonlyMap<string, string>;
  readonly tookMs: number;
}

async function bundleOf(daemon: TestDaemon, name: string, root = daemon.root): Promise<Bundle> {
  const file = join(daemon.directory, `${name}.tar.gz`);
  const begin = performance.now();
  const table = await daemon.cli('debug-bundle', '-o', file, '--root', root, '--cni-conf-dir', daemon.cniConfDir);
  const tookMs = performance.now() - begin;
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const directory = join(daemon.directory, name);
  await ensureDir(directory);
  await execa('tar', ['--strip-components=1', '-xzf', file, '-C', directory]);
  const files = new Map<string, string>();
  for await (const path of glob('**', { cwd: directory }))
    if ((await stat(join(directory, path))).isFile()) files.set(path, await readFile(join(directory, path), 'latin1'));
  for (const [path, text] of files)
    for (const [where, secret] of Object.entries(SECRETS)) {
      const forms = [secret, Buffer.from(secret).toString('base64').replace(/=+$/, ''), Buffer.from(secret).toString('hex')];
      for (const form of forms) assert.ok(!text.includes(form), `${path} has the secret of ${where}`);
    }
  return { table, files, tookMs };
}

const config = `default_env = ["TOKEN=${SECRETS.defaultEnv}"]
`;

/** A pod and containers, running and failed, with secrets wherever people put them; and files with more. */
async function plant(daemon: TestDaemon): Promise<{ pod: string; container: string }> {
  const annotations = { 'example.com/note': SECRETS.podAnnotation };
  const base = podConfig(daemon, { name: 'planted', change: { annotations } });
  const { podSandboxId: id } = await daemon.runtime.runPodSandbox({ config: base, runtimeHandler: '' });
  const pod = { id, config: base };
  const change = {
    envs: [{ key: 'PASSWORD', value: Buffer.from(SECRETS.environment) }],
    annotations: { 'example.com/note': SECRETS.annotation },
    labels: { 'io.kubernetes.container.name': 'main', secret: SECRETS.label },
  };
  const container = await runContainer(daemon, pod, ['sh', '-c', `: ${SECRETS.argument}; sleep 3600`], { name: 'main', change });
  await execSync(daemon, container, ['sh', '-c', `echo ${SECRETS.argument}; exit 3`]);
  await assert.rejects(execSync(daemon, container, ['sh', '-c', `sleep 5; : ${SECRETS.argument}`], 1));
  await assert.rejects(createContainer(daemon, pod, ['x'], { name: 'wrong', change: { ...change, image: { image: 'none', userSpecifiedImage: 'none' } } })); // prettier-ignore
  await outputFile(join(daemon.directory, 'auth.json'), JSON.stringify({ auths: { r: { auth: Buffer.from(`a:${SECRETS.authFile}`).toString('base64') } } })); // prettier-ignore
  await outputFile(join(daemon.directory, 'certs.d/r.example/hosts.toml'), `[host."https://r.example"]\n[host."https://r.example".header]\nauthorization = "Basic ${SECRETS.header}"\n`); // prettier-ignore
  await mkdir(join(daemon.root, 'bad'), { recursive: true });
  await writeFile(join(daemon.root, 'bad', 'x.json'), JSON.stringify({ envs: [{ key: 'A', value: SECRETS.bad }] }));
  await writeFile(daemon.logFile, `2026 INFO GET https://me:${SECRETS.log}@r.example password=${SECRETS.log}\n`, { flag: 'a' });
  return { pod: id, container };
}

test('a disk that hangs costs a bundle what is on it, and the command ends', { skip: noFuse, timeout: 90_000 }, async () => {
  const daemon = await TestDaemon.prepare();
  const hung = join(daemon.directory, 'hung');
  const fuse = new HungMount(hung);
  try {
    await fuse.start();
    const bundle = await bundleOf(daemon, 'out', hung);
    assert.match(bundle.files.get('README') ?? '', /^records\/containers\.json: .*\n {2}not there: it took longer than/m);
    for (const file of ['kernel/mounts.txt', 'node.json', 'config.json']) assert.ok(bundle.files.has(file), `${file} is missing`);
    assert.match(bundle.files.get('check.json') ?? '', /does not answer/);
    assert.ok(bundle.tookMs < 45_000, `it took ${bundle.tookMs} ms`);
  } finally {
    await fuse.release();
    await daemon.destroy();
  }
});

e2eTest(
  'a bundle has the parts that a report needs and none of the planted secrets: of a daemon that works, that hangs, and that is gone',
  async (daemon, context) => {
    const { pod, container } = await plant(daemon);
    const history = join(daemon.root, 'history/operations.jsonl');
    // The history is written a second after what it tells.
    await until('the command that took too long is in the history', async () =>
      (await readFile(history, 'utf8')).includes('"what":"exec"'),
    );
    const whole = await bundleOf(daemon, 'whole');
    context.diagnostic(`it took ${whole.tookMs.toFixed(0)} ms`);
    const expected = [
      'README',
      'check.json',
      'config.json',
      'daemon.log',
      'leaks.json',
      'metrics.txt',
      'node.json',
      'stacks.json',
      'status.json',
    ];
    for (const file of [
      ...expected,
      'records/sandboxes.json',
      'records/containers.json',
      'records/attachments.json',
      'records/bad.json',
      'kernel/mounts.txt',
      'kernel/dmesg.txt',
    ])
      assert.ok(whole.files.has(file), `${file} is missing: ${[...whole.files.keys()].join(', ')}\n${whole.table}`);
    const has = (bundle: Bundle, file: string, words: string): void => {
      assert.ok((bundle.files.get(file) ?? '').includes(words), `${file} has no ${words}`);
    };
    for (const file of whole.files.keys()) if (file.endsWith('.json')) JSON.parse(whole.files.get(file) ?? '');
    has(whole, 'records/sandboxes.json', pod);
    has(whole, 'records/containers.json', container);
    has(whole, 'records/containers.json', 'k8s_main_planted_e2e');
    has(whole, 'status.json', `"pid": ${daemon.pid}`);
    has(whole, 'daemon.log', `containerId=${container}`);
    has(whole, 'daemon.log', 'https://(left out)@r.example');
    has(whole, 'config.json', 'TOKEN=(left out)');
    has(whole, 'check.json', 'kernel');
    has(whole, 'history.jsonl', container);
    has(whole, 'history.jsonl', '"what":"exec"');
    has(whole, 'kernel/mounts.txt', `${daemon.runDir}/`);

    process.kill(daemon.pid, 'SIGSTOP');
    try {
      const hung = await bundleOf(daemon, 'hung');
      assert.ok(hung.tookMs < 45_000, `it took ${hung.tookMs} ms`);
      has(hung, 'README', 'not there: the daemon on');
      has(hung, 'records/containers.json', container);
      has(hung, 'stacks.json', '"answered": false');
      has(hung, 'check.json', 'does not answer');
      has(hung, 'daemon.log', `containerId=${container}`);
    } finally {
      process.kill(daemon.pid, 'SIGCONT');
    }

    await daemon.stop();
    const gone = await bundleOf(daemon, 'gone');
    has(gone, 'README', 'no daemon answers');
    has(gone, 'records/containers.json', container);
    assert.ok(!gone.files.has('status.json'));
    await remove(join(daemon.root, 'bad', 'x.json'));
  },
  { config, env: { HTTPS_PROXY: `http://me:${SECRETS.proxy}@127.0.0.1:9` }, isHeldUp: true },
);
