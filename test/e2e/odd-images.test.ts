/** Images whose config or files are odd, seen from inside the container: what both peers run, runs. */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busyboxLayer, makeLayer, ociArchive } from '../../scripts/make-demo-image.ts';
import type { ImageRunConfig } from '../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import type { ContainerOptions, Pod } from '../support/pods.ts';
import { containerConfig, containerStatus, createContainer, execOutput, failureOf, outputOf, removeAllPods, runContainer, runPod, shell, waitForExit } from '../support/pods.ts'; // prettier-ignore

const test = sharedDaemon({ images: [] });
const PATH = 'PATH=/bin:/usr/bin';
const SLEEP = ['sleep', '3600'];
const MIB = 1024 * 1024;

const link = (path: string, linkTarget: string): TarEntry => ({ path, kind: 'symlink', linkTarget });
const directory = (path: string, mode = 0o755): TarEntry => ({ path, kind: 'directory', mode });
const file = (path: string, data: string): TarEntry => ({ path, kind: 'file', data });

/** A test on a busybox with this config and these files over it, which it takes away again. */
function imageTest(
  sentence: string,
  { name, config, entries = [] }: { name: string; config: ImageRunConfig; entries?: readonly TarEntry[] },
  body: (daemon: TestDaemon, image: string) => Promise<void>,
): void {
  test(sentence, async (daemon) => {
    const image = await loadImage(daemon, name, config, entries);
    try {
      await body(daemon, image);
    } finally {
      await removeAllPods(daemon);
      await daemon.images.removeImage({ image: { image } });
    }
  });
}

async function loadImage(daemon: TestDaemon, name: string, config: ImageRunConfig, entries: readonly TarEntry[]): Promise<string> {
  const layers = [await busyboxLayer(), ...(entries.length === 0 ? [] : [await makeLayer(entries)])];
  const path = join(daemon.directory, `${name}.tar`);
  await writeFile(path, ociArchive([{ name: `localhost/odd/${name}:1`, layers, config: { Env: [PATH], Cmd: SLEEP, ...config } }]));
  await daemon.cli('image', 'load', path);
  await rm(path);
  return `localhost/odd/${name}:1`;
}

/** What a container that ends by itself prints. */
async function printed(daemon: TestDaemon, pod: Pod, command: readonly string[], options: ContainerOptions): Promise<string[]> {
  const id = await runContainer(daemon, pod, command, options);
  const { exitCode } = await waitForExit(daemon, id);
  const lines = await outputOf(daemon, id);
  assert.equal(exitCode, 0, lines.join('\n'));
  return lines;
}

async function warnings(daemon: TestDaemon, container: string): Promise<string[]> {
  return (await readFile(daemon.logFile, 'utf8')).split('\n').filter((line) => line.includes(' WARN ') && line.includes(container));
}

const VOLUMES = {
  name: 'volumes',
  config: {
    User: 'app',
    Volumes: {
      '/new': {},
      '/new2/deep/er': {},
      '/kept': {},
      relative: {},
      '/out/below': {},
      '/dangling': {},
      '/etc/passwd': {},
      '/loop': {},
    },
  },
  entries: [
    directory('kept', 0o700),
    file('kept/file', 'kept'),
    link('out', '../../../../../escaped'),
    link('dangling', '/led/here'),
    link('loop', 'loop'),
  ],
};

imageTest('the VOLUMEs of an image are directories of the user, within the root file system', VOLUMES, async (daemon, image) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP, { image });
  const places = ['/new', '/new2', '/new2/deep', '/new2/deep/er', '/relative', '/escaped', '/escaped/below', '/led/here'];
  const seen = (await execOutput(daemon, id, ['stat', '-c', '%F %u:%g %a %n', ...places])).split('\n');
  assert.deepEqual(
    seen,
    places.map((path) => `directory 1000:1000 755 ${path}`),
  );
  assert.equal(await execOutput(daemon, id, ['stat', '-c', '%F %u %a', '/kept']), 'directory 0 700');
  assert.equal(await execOutput(daemon, id, shell('echo written >/new2/deep/er/f; cat /new2/deep/er/f')), 'written');
  assert.match((await warnings(daemon, id)).join('\n'), /2 of the image's VOLUMEs cannot be made, the first is "\/etc\/passwd": ENOTDIR/);

  const config = await containerConfig(pod, SLEEP, { image, name: 'readonly' });
  const securityContext = { ...config.linux?.securityContext, readonlyRootfs: true };
  const readonly = await daemon.runtime.createContainer({ podSandboxId: pod.id, config: { ...config, linux: { ...config.linux, securityContext } }, sandboxConfig: pod.config }); // prettier-ignore
  await daemon.runtime.startContainer(readonly);
  assert.equal(await execOutput(daemon, readonly.containerId, ['stat', '-c', '%F %u', '/new2/deep/er']), 'directory 1000');
});

const MANY = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`/v/${index % 100}/${index}`, {}]));

imageTest(
  'an image with 5,000 VOLUMEs does not keep other calls waiting',
  { name: 'many-volumes', config: { Volumes: MANY } },
  async (daemon, image) => {
    const pod = await runPod(daemon);
    const { result, longestMs } = await withOtherCalls(daemon, runContainer(daemon, pod, shell('ls -d /v/*/* | wc -l'), { image }));
    process.stdout.write(`# other calls took ${Math.round(longestMs)} ms at most\n`);
    await waitForExit(daemon, result);
    assert.deepEqual(await outputOf(daemon, result), ['5000']);
    assert.ok(longestMs < 1_000, `another call took ${longestMs} ms`);
  },
);

const WORKDIR = {
  name: 'workdir',
  config: { WorkingDir: '/dangling' },
  entries: [
    link('dangling', '/made/for/it'), link('outside', '../../../../out'), directory('chain'), link('chain/a', 'b'), link('chain/b', './../end/./of'),
    directory('there'), link('toThere', 'there'), file('file', ''),
  ],
}; // prettier-ignore

imageTest('a working directory is made inside the root file system, also where a link leads to nothing', WORKDIR, async (daemon, image) => {
  const pod = await runPod(daemon);
  const expected: Readonly<Record<string, string>> = {
    '': '/made/for/it', '/outside/x': '/out/x', '/chain/a': '/end/of', 'chain/a/new': '/end/of/new', '/toThere/new': '/there/new', '/simple/new': '/simple/new',
  }; // prettier-ignore
  for (const [index, [workingDir, place]] of Object.entries(expected).entries())
    assert.deepEqual(await printed(daemon, pod, ['pwd', '-P'], { image, name: `w${index}`, change: { workingDir } }), [place], workingDir);
  const { code, message } = await failureOf(
    createContainer(daemon, pod, SLEEP, { image, name: 'file', change: { workingDir: '/file/x' } }),
  );
  assert.equal(code, 'FAILED_PRECONDITION');
  assert.match(message, /the working directory "\/file\/x" cannot be made in the image: ENOTDIR/);
});

const ENV = { name: 'env', config: { Env: [PATH, 'WITHOUT', '=nameless', '', 'EMPTY=', 'GOOD=a=b', 'NUL=a\0b'] } };

imageTest('what of an image is no variable is left out of the environment, and the rest is there', ENV, async (daemon, image) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['env'], { image });
  await waitForExit(daemon, id);
  const lines = await outputOf(daemon, id);
  assert.deepEqual(lines.filter((line) => /^(WITHOUT|EMPTY|GOOD|NUL|=|$)/.test(line)).sort(), ['EMPTY=', 'GOOD=a=b']);
  assert.match(
    (await warnings(daemon, id)).join('\n'),
    /4 of the image's environment variables are left out, the first is \\?"WITHOUT\\?"/,
  );
});

imageTest(
  'a value of any bytes starts the container, with U+FFFD in place of each bad byte',
  { name: 'plain', config: {} },
  async (daemon, image) => {
    const envs = [
      { key: 'BYTES', value: Buffer.from([0x66, 0xff, 0xfe, 0x67, 0xe2, 0x82]) },
      { key: 'TEXT', value: Buffer.from('ü') },
    ];
    const command = shell('printf "%s" "$BYTES$TEXT" | od -An -v -tx1 | tr -d " \\n"');
    const id = await runContainer(daemon, await runPod(daemon), command, { image, change: { envs } });
    await waitForExit(daemon, id);
    assert.deepEqual(await outputOf(daemon, id), [Buffer.from('f\ufffd\ufffdg\ufffd\ufffdü').toString('hex')]);
    assert.match((await warnings(daemon, id)).join('\n'), /environment variable \\?"BYTES\\?" \(of 1 such\) is not UTF-8/);
  },
);

imageTest(
  'a StopSignal that is none counts as SIGTERM',
  { name: 'signal', config: { StopSignal: 'SIGNONSENSE' } },
  async (daemon, image) => {
    const id = await runContainer(daemon, await runPod(daemon), shell('trap "exit 15" TERM; while :; do sleep 0.1; done'), { image });
    await execOutput(daemon, id, ['true']);
    await daemon.runtime.stopContainer({ containerId: id, timeout: 20n });
    assert.equal((await containerStatus(daemon, id)).exitCode, 15);
    assert.match((await warnings(daemon, id)).join('\n'), /StopSignal is left out, SIGTERM takes its place/);
  },
);

const lines = (line: string): string => line.repeat((20 * MIB) / line.length);
const USER_FILES = {
  name: 'user-files',
  config: { User: '4242' },
  entries: [file('etc/passwd', lines('a::1:1:\n')), file('etc/group', lines('a::1:b:\n'))],
};

imageTest(
  'user files ten times as long as what is looked at neither stop other calls nor fill the memory',
  USER_FILES,
  async (daemon, image) => {
    const pod = await runPod(daemon);
    const before = await residentBytes(daemon);
    const failures = Promise.all(Array.from({ length: 6 }, async (_, index) => failureOf(createContainer(daemon, pod, SLEEP, { image, name: `c${index}` })))); // prettier-ignore
    const { result, longestMs } = await withOtherCalls(daemon, failures);
    const grown = (await residentBytes(daemon)) - before;
    process.stdout.write(`# other calls took ${Math.round(longestMs)} ms at most, memory grew by ${Math.round(grown / MIB)} MiB\n`);
    for (const { message } of result) assert.match(message, /user 4242: the image's \/etc\/passwd is longer than 2097152 bytes/);
    assert.ok(longestMs < 1_000, `another call took ${longestMs} ms`);
    assert.ok(grown < 100 * MIB, `${grown} bytes`);
  },
);

/** The longest that Version took while the work was under way, milliseconds. */
async function withOtherCalls<T>(daemon: TestDaemon, work: Promise<T>): Promise<{ result: T; longestMs: number }> {
  const ended = new AbortController();
  const settled = work.finally(() => {
    ended.abort();
  });
  settled.catch(() => undefined);
  let longestMs = 0;
  while (!ended.signal.aborted) {
    const askedMs = performance.now();
    await daemon.runtime.version({ version: '' });
    longestMs = Math.max(longestMs, performance.now() - askedMs);
  }
  return { result: await settled, longestMs };
}

async function residentBytes(daemon: TestDaemon): Promise<number> {
  const pages = (await readFile(`/proc/${daemon.pid}/status`, 'utf8')).match(/^VmHWM:\s+(\d+) kB/m)?.[1];
  return Number(pages) * 1024;
}
