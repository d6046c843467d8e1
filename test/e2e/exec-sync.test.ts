import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, createContainer, execSync, failureOf, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';
import type { TestDaemon } from '../support/daemon.ts';

const test = sharedDaemon({ images: ['busybox', 'user'] });

async function sleeper(daemon: TestDaemon, image: string = IMAGES.busybox): Promise<string> {
  const pod = await runPod(daemon);
  return runContainer(daemon, pod, ['sleep', '3600'], { image });
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('ExecSync gives the code and both outputs apart', async (daemon) => {
  const id = await sleeper(daemon);
  const answer = await execSync(daemon, id, shell('echo out; echo err >&2; exit 3'));

  assert.deepEqual({ code: answer.exitCode, out: text(answer.stdout), err: text(answer.stderr) }, { code: 3, out: 'out\n', err: 'err\n' });
});

test('a command that cannot start is told apart from one that exits with 255', async (daemon) => {
  const id = await sleeper(daemon);
  assert.equal((await execSync(daemon, id, shell('exit 255'))).exitCode, 255);

  const { message } = await failureOf(execSync(daemon, id, ['/no/such/command']));
  assert.match(message, /\/no\/such\/command/);
});

test('a command killed by a signal has 128 and the signal as its code', async (daemon) => {
  const id = await sleeper(daemon);

  assert.equal((await execSync(daemon, id, shell('kill -9 $$'))).exitCode, 137);
});

test('a timeout ends the call and the whole group of the command', async (daemon) => {
  const id = await sleeper(daemon);
  const begin = Date.now();
  const { code } = await failureOf(execSync(daemon, id, shell('sleep 4444 & sleep 4444'), 1));
  assert.equal(code, 'DEADLINE_EXCEEDED');
  assert.ok(Date.now() - begin < 5000, `took ${Date.now() - begin} ms`);

  await until('no process of the command is left', async () => !(await commandLines()).some((line) => line.includes('sleep 4444')), 1000);
});

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map(async (pid) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')));
}

test('a background child that keeps the output open does not hold the call for ever', async (daemon) => {
  const id = await sleeper(daemon);
  const begin = Date.now();
  const { exitCode, stdout } = await execSync(daemon, id, shell('echo first; sleep 60 & exit 0'), 30);

  assert.deepEqual({ exitCode, out: text(stdout) }, { exitCode: 0, out: 'first\n' });
  assert.ok(Date.now() - begin < 20_000, `took ${Date.now() - begin} ms`);
});

test('output beyond the limit is dropped, and the answer still fits a message of the kubelet', async (daemon) => {
  const id = await sleeper(daemon);
  const { exitCode, stdout, stderr } = await execSync(daemon, id, shell('head -c 12000000 /dev/zero; head -c 12000000 /dev/zero >&2'), 60);

  assert.equal(exitCode, 0);
  const sizeBytes = stdout.length + stderr.length;
  assert.ok(sizeBytes <= 16 * 1024 * 1024 - 65_536 && sizeBytes > 8_000_000, `${sizeBytes} bytes`);
});

test('it runs as the user of the container, in its directory, with its environment', async (daemon) => {
  const id = await sleeper(daemon, IMAGES.user);
  const { stdout } = await execSync(daemon, id, shell('id -un; pwd; echo $FROM_KUBELET'));

  assert.deepEqual(text(stdout).split('\n'), ['app', '/', 'yes', '']);
});

test('bytes come back as they are', async (daemon) => {
  const id = await sleeper(daemon);
  const { stdout } = await execSync(daemon, id, shell('printf "\\377\\000\\200"'));

  assert.deepEqual([...stdout], [0xff, 0, 0x80]);
});

test('a container that does not run is refused', async (daemon) => {
  const pod = await runPod(daemon);
  const created = await createContainer(daemon, pod, ['sleep', '1']);
  assert.equal((await failureOf(execSync(daemon, created, ['true']))).code, 'FAILED_PRECONDITION');

  const ended = await runContainer(daemon, pod, ['true'], { name: 'ended' });
  await waitForExit(daemon, ended);
  assert.equal((await failureOf(execSync(daemon, ended, ['true']))).code, 'FAILED_PRECONDITION');
});

test('a hundred commands, ten at a time, all answer, and the daemon keeps no descriptor of them', async (daemon) => {
  const id = await sleeper(daemon);
  await execSync(daemon, id, ['true']);
  const descriptors = async (): Promise<number> => (await readdir(`/proc/${daemon.pid}/fd`)).length;
  const before = await descriptors();
  for (let round = 0; round < 10; round += 1) {
    const answers = await Promise.all(Array.from({ length: 10 }, async (_, index) => execSync(daemon, id, shell(`echo ${index}`), 60)));
    assert.deepEqual(answers.map((answer) => text(answer.stdout)), Array.from({ length: 10 }, (_, index) => `${index}\n`)); // prettier-ignore
  }
  await until('the descriptors of the daemon are closed', async () => (await descriptors()) <= before + 2, 5000);
  assert.equal((await containerStatus(daemon, id)).exitCode, 0);
});
