/** `podwright exec`: streams, exit codes, input, and a terminal that is as before, however it ends. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { execOutput, runContainer, runPod, shell, until } from '../support/pods.ts';
import { shared } from '../support/shared.ts';
import { spawnOnTerminal } from '../support/streaming/pty.ts';
import type { TerminalCommand } from '../support/streaming/pty.ts';
import { view, viewCommand } from '../support/views.ts';

const test = sharedDaemon();
const folder = shared(async () => mkdtemp(join(tmpdir(), 'podwright-tls-')), remove);

/** A configuration with a certificate of its own, for no name that we call the streaming server by. */
async function tlsConfig(): Promise<string> {
  const files = await mkdtemp(join(await folder(), 'pair-'));
  const [key, cert] = [join(files, 'key.pem'), join(files, 'cert.pem')];
  const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=some-node'];
  await execa('openssl', ['req', ...options, '-keyout', key, '-out', cert]);
  return `[stream]\ntls_cert = "${cert}"\ntls_key = "${key}"\n`;
}

/** The same, for clients with a certificate of this pair's own authority only: the server's certificate signs itself. */
async function mutualTlsConfig(): Promise<string> {
  const config = await tlsConfig();
  return `${config}tls_client_ca = ${/^tls_cert = (.*)$/m.exec(config)?.[1] ?? ''}\n`;
}

const idle = shell('trap "exit 0" TERM; while :; do sleep 0.1; done');

test('exec hands on both outputs, input, and the exit code', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon, { name: 'tools' }), idle);

  const both = await view(daemon, ['exec', 'e2e/tools', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
  assert.deepEqual([both.exitCode, both.stdout, both.stderr], [7, 'out\n', 'err\n']);
  const flags = await view(daemon, ['exec', id, 'echo', '-n', '--json', '-t']);
  assert.deepEqual([flags.exitCode, flags.stdout], [0, '--json -t']);
  const data = Buffer.from(
    Array.from({ length: 3_000_000 }, (_, index) => 'abcdefghijklmnop\n'.charCodeAt((index * 7 + (index >> 9)) % 17)),
  );
  const counted = await view(daemon, ['exec', '-i', 'main', 'sh', '-c', 'cat; echo end'], data);
  const digest = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
  assert.equal(digest(counted.stdout), digest(`${data.toString()}end\n`));
  const early = await view(daemon, ['exec', '-i', 'main', 'head', '-c', '5'], data);
  assert.deepEqual([early.exitCode, early.stdout], [0, data.subarray(0, 5).toString()]);
  const missing = await view(daemon, ['exec', 'main', '/no/such/program']);
  assert.notEqual(missing.exitCode, 0);
  assert.match(missing.stderr, /no\/such\/program/);
  const unknown = await view(daemon, ['exec', 'nobody', 'true']);
  assert.deepEqual([unknown.exitCode, unknown.stdout], [1, '']);
});

/** Our program on a terminal, then what the shell that started it finds: its exit code and how the terminal is set. */
function onTerminal(daemon: TestDaemon, args: readonly string[]): TerminalCommand & { text(): string } {
  const { line, env } = viewCommand(daemon, args);
  const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...line.map((word) => `'${word}'`)].join(' ');
  const command = spawnOnTerminal(['sh', '-c', `${words}; echo "ended with $?"; stty -a`], { width: 80, height: 24 });
  let text = '';
  command.master.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  command.master.on('error', () => undefined); // the end of a terminal is one
  return { ...command, text: () => text };
}

test('a terminal has its size from the start and follows it, and is as before at the end', async (daemon) => {
  await runContainer(daemon, await runPod(daemon), idle);
  const terminal = onTerminal(daemon, ['exec', '-it', 'main', 'sh']);
  const shows = async (words: RegExp): Promise<unknown> =>
    until(`the terminal shows ${words.source}`, async () => words.test(terminal.text())).catch((error: unknown) =>
      assert.fail(`${String(error)}: it shows ${JSON.stringify(terminal.text())}`),
    );
  terminal.master.write('echo "size $(stty size)"; tty\n');
  await shows(/size 24 80\r\n\/dev\/pts\/\d/);
  terminal.resize(132, 43);
  const answers = (): number => terminal.text().match(/size \d+ \d+\r\n/g)?.length ?? 0;
  for (let round = 0; round < 50 && !terminal.text().includes('size 43 132'); round += 1) {
    const before = answers();
    terminal.master.write('echo "size $(stty size)"\n');
    await until('stty has answered', async () => answers() > before);
  }
  await shows(/size 43 132/);
  terminal.master.write('sleep 100\n');
  await shows(/sleep 100\r\n/);
  terminal.master.write('\u0003'); // ctrl-C is the container's
  terminal.master.write('exit 9\n');
  await once(terminal.child, 'exit');
  await shows(/ended with 9\r\n[^]* icanon [^]* echo /);
});

test('a terminal is as before where a signal ends the command', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), idle);
  const terminal = onTerminal(daemon, ['exec', '-it', 'main', 'sh', '-c', 'echo begun; sleep 1000']);
  await until('the command runs', async () => terminal.text().includes('begun'));
  const children = async (pid: number | undefined): Promise<number[]> => (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter((each) => each !== '').map(Number); // prettier-ignore
  let pids = await children(terminal.child.pid);
  // setsid has the shell as its child, which has our program.
  while (!(await readFile(`/proc/${pids[0]}/cmdline`, 'utf8')).includes('client.')) pids = await children(pids[0]);
  process.kill(pids[0] ?? assert.fail('our program is not there'), 'SIGTERM');
  await once(terminal.child, 'exit');
  await until('the shell tells', async () => /ended with 143\r\n[^]* icanon [^]* echo /.test(terminal.text()));
  await until('the command in the container has ended', async () => !(await execOutput(daemon, id, ['ps'])).includes('sleep 1000'));
});

e2eTest(
  'exec reaches a streaming server with TLS, and only one with the certificate of the configuration',
  async (daemon) => {
    await runContainer(daemon, await runPod(daemon), idle);
    const { exitCode, stdout, stderr } = await view(daemon, ['exec', 'main', 'echo', 'over TLS']);
    assert.deepEqual([exitCode, stdout, stderr], [0, 'over TLS\n', '']);
    await writeFile(join(daemon.directory, 'podwright.toml'), await tlsConfig());
    const other = await view(daemon, ['exec', 'main', 'echo', 'over TLS']);
    assert.deepEqual([other.exitCode, other.stdout], [1, '']);
    assert.match(other.stderr, /certificate/);
  },
  { prepare: async () => ({ config: await tlsConfig() }) },
);

e2eTest(
  'exec reaches a streaming server that wants a certificate of its clients, with one',
  async (daemon) => {
    await runContainer(daemon, await runPod(daemon), idle);
    const config = await readFile(join(daemon.directory, 'podwright.toml'), 'utf8');
    const fileOf = (name: string): string => new RegExp(`^${name} = "(.*)"$`, 'm').exec(config)?.[1] ?? '';
    const run = async (cert: string, key: string) => view(daemon, ['exec', '--client-cert', cert, '--client-key', key, 'main', 'echo', 'let in']); // prettier-ignore

    const own = await run(fileOf('tls_cert'), fileOf('tls_key'));
    assert.deepEqual([own.exitCode, own.stdout, own.stderr], [0, 'let in\n', '']);
    const none = await view(daemon, ['exec', 'main', 'echo', 'let in']);
    assert.deepEqual([none.exitCode, none.stdout], [1, '']);
    assert.match(none.stderr, /stream\.tls_client_ca lets in clients with a certificate only: give --client-cert and --client-key/);
    const half = await view(daemon, ['exec', '--client-cert', fileOf('tls_cert'), 'main', 'true']);
    assert.deepEqual([half.exitCode, half.stdout], [2, '']);
    const [, otherCert = '', otherKey = ''] = /tls_cert = "(.*)"\ntls_key = "(.*)"/.exec(await tlsConfig()) ?? [];
    const stranger = await run(otherCert, otherKey);
    assert.deepEqual([stranger.exitCode, stranger.stdout], [1, '']);
  },
  { prepare: async () => ({ config: await mutualTlsConfig() }) },
);
