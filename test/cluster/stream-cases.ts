/** What `kubectl exec`, `attach`, `port-forward`, `logs` and `debug` do, by the API server and over its WebSockets. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { Attach, Exec, PatchStrategy, PortForward, setHeaderOptions } from '@kubernetes/client-node';
import type { V1Status } from '@kubernetes/client-node';
import { execa } from 'execa';
import { Output, Terminal } from '../support/streaming/kubernetes-client.ts';
import { LOG_ROTATION } from './node.ts';
import { container, HTTPD, SLEEP, statusOf, until } from './world.ts';
import type { Case, World } from './world.ts';

export const STREAM_CASES: readonly Case[] = [
  { name: 'exec: output, input, exit code, terminal', run: execs },
  { name: 'attach to a running container', run: attaches },
  { name: 'port-forward', run: forwards },
  { name: 'logs are rotated, and none is lost', run: rotation },
  { name: 'an ephemeral container in a running pod', run: debugContainer },
];

async function execs(world: World): Promise<void> {
  await world.withNamespace('exec', async (space) => {
    await space.pod('pod', [container('main', SLEEP)]);
    await space.untilReady('pod');
    const { stdout, stderr, status } = await space.exec('pod', 'main', 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
    assert.equal(status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message, '7');
    const [stdin, echoed, ended] = [new PassThrough(), new Output(), Promise.withResolvers<V1Status>()];
    const exec = new Exec(world.cluster.config);
    await exec.exec(space.name, 'pod', 'main', ['head', '-c', '6'], echoed, null, stdin, false, ended.resolve);
    stdin.write('hello\n');
    assert.equal((await ended.promise).status, 'Success');
    assert.equal(echoed.text, 'hello\n');
    const [keys, screen, closed] = [new PassThrough(), new Terminal(101, 37), Promise.withResolvers<V1Status>()];
    await new Exec(world.cluster.config).exec(space.name, 'pod', 'main', ['sh'], screen, null, keys, true, closed.resolve);
    // The size is told after the shell has begun.
    await until('the terminal has its size', async () => {
      keys.write('stty size\n');
      return Promise.resolve(screen.text.includes('37 101') ? true : undefined);
    });
    keys.write('exit 0\n');
    assert.equal((await closed.promise).status, 'Success');
  });
}

async function attaches(world: World): Promise<void> {
  await world.withNamespace('attach', async (space) => {
    const script = 'while read -r line; do echo "got $line"; [ "$line" = end ] && exit 0; done';
    await space.pod('pod', [container('main', script, { stdin: true, stdinOnce: true })], { restartPolicy: 'Never' });
    await space.untilReady('pod');
    const [stdin, stdout] = [new PassThrough(), new Output()];
    await new Attach(world.cluster.config).attach(space.name, 'pod', 'main', stdout, null, stdin, false);
    stdin.write('hello\n');
    await until('the container answers', () => Promise.resolve(stdout.text.includes('got hello\n') ? true : undefined));
    stdin.write('end\n');
    const ended = await space.untilEnded('pod');
    assert.equal(ended.status?.phase, 'Succeeded');
    assert.equal(await space.log('pod'), 'got hello\ngot end\n');
  });
}

async function forwards(world: World): Promise<void> {
  await world.withNamespace('port-forward', async (space) => {
    await space.pod('web', [container('main', HTTPD)]);
    await space.untilReady('web');
    await until('the server listens', async () =>
      (await space.exec('web', 'main', 'wget', '-qO-', 'http://127.0.0.1:8080/')).status.status === 'Success' ? true : undefined,
    );
    const [input, output, error] = [new PassThrough(), new Output(), new Output()];
    await new PortForward(world.cluster.config).portForward(space.name, 'web', [8080], output, error, input);
    input.write('GET / HTTP/1.0\r\n\r\n');
    await until('the page comes', () => Promise.resolve(/200 OK[^]*\r\n\r\nweb\n/.test(output.text) ? true : undefined));
    assert.equal(error.text, '');
  });
}

/** More than one file holds: the kubelet looks every 3 s, so the container writes one part, waits for the rotation, and writes the next. */
async function rotation(world: World): Promise<void> {
  await world.withNamespace('rotation', async (space) => {
    const lineBytes = 100;
    const lines = Math.ceil((LOG_ROTATION.maxSizeBytes / lineBytes) * 1.2);
    const pad = 'x'.repeat(lineBytes - 8);
    const part = `i=$1; end=$((i + ${lines})); while [ $i -lt $end ]; do echo "$(printf %06d $i) ${pad}"; i=$((i + 1)); done`;
    const script = `echo '${part}' > /tmp/part; n=0; while [ $n -lt 3 ]; do while [ ! -e /tmp/go$n ]; do sleep 0.2; done; sh /tmp/part $((n * ${lines})); n=$((n + 1)); done; touch /tmp/written; while [ ! -e /tmp/go3 ]; do sleep 0.2; done; echo over; ${SLEEP}`;
    await space.pod('writes', [container('main', script)]);
    const pod = await space.untilReady('writes');
    const folder = `/var/log/pods/${space.name}_writes_${pod.metadata?.uid ?? ''}/main`;
    for (const round of [0, 1, 2]) {
      await space.run('writes', 'main', 'touch', `/tmp/go${round}`);
      await until(`the log is rotated for the ${round + 1}. time`, async () => {
        const rotated = (await readdir(folder)).filter((file) => file.startsWith('0.log.'));
        return rotated.length > round ? true : undefined;
      });
    }
    // The API shows the current file alone: the last line comes when no rotation is due any more.
    await until('all parts are written, and the last file is small', async () => {
      const isWritten = (await space.exec('writes', 'main', 'test', '-e', '/tmp/written')).status.status === 'Success';
      return isWritten && (await stat(`${folder}/0.log`)).size < LOG_ROTATION.maxSizeBytes ? true : undefined;
    });
    await space.run('writes', 'main', 'touch', '/tmp/go3');
    await until('the last line is there', async () => ((await space.log('writes')).endsWith('over\n') ? true : undefined));
    assert.equal(statusOf(await space.read('writes')).restartCount, 0);
    const files = (await readdir(folder)).filter((file) => file.startsWith('0.log')).sort();
    const numbers = await linesOfFiles(folder, files);
    assert.equal(new Set(numbers).size, 3 * lines, `lines were lost among ${files.join(', ')}`);
  });
}

/** Numbers of the lines of all files of a log; older ones are compressed. */
async function linesOfFiles(folder: string, files: readonly string[]): Promise<string[]> {
  const all = await Promise.all(
    files.map((file) => execa(file.endsWith('.gz') ? 'zcat' : 'cat', [`${folder}/${file}`], { maxBuffer: 1e8 })),
  );
  return all.flatMap(({ stdout }) => [...stdout.matchAll(/ F (\d{6}) x/g)].map(([, number = '']) => number));
}

async function debugContainer(world: World): Promise<void> {
  await world.withNamespace('debug', async (space) => {
    await space.pod('pod', [container('main', SLEEP)]);
    await space.untilReady('pod');
    const debug = Object.assign(container('debug', `echo from the debugger; ${SLEEP}`), { targetContainerName: 'main' });
    const body = { spec: { ephemeralContainers: [debug] } };
    const options = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);
    await world.core.patchNamespacedPodEphemeralcontainers({ namespace: space.name, name: 'pod', body }, options);
    await space.untilPod('pod', 'with a running debugger', ({ status }) =>
      (status?.ephemeralContainerStatuses ?? []).some(({ state }) => state?.running !== undefined),
    );
    assert.match(
      await space.run('pod', 'debug', 'sh', '-c', 'cat /proc/1/cmdline | tr "\\0" " "'),
      /trap/,
      'it must be in the PID namespace of main',
    );
    assert.equal(await space.log('pod', 'debug'), 'from the debugger\n');
    assert.equal(statusOf(await space.read('pod'), 'main').restartCount, 0);
  });
}
