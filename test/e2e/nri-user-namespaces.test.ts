/** What NRI plugins adjust in pods with user namespaces, where nobody can make a device node or join a namespace that the pod does not own. */
// long: 60 s
import assert from 'node:assert/strict';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon, type E2eBody } from '../support/e2e-test.ts';
import { NriPlugin, noNriPlugin } from '../support/nri-plugin.ts';
import { createContainer, execOutput, execSync, failureOf, runContainer, runPod, shell } from '../support/pods.ts';
import { noUserNamespaces, userRuntimes, withUsers } from '../support/user-namespaces.ts';

const directory = await mkdtemp(join(tmpdir(), 'pw-nri-userns-'));
before(async () => {
  await chmod(directory, 0o755);
  await writeFile(join(directory, 'file'), 'from a plugin', { mode: 0o644 });
});
after(async () => {
  await remove(directory);
});

const runtimes = userRuntimes.length === 0 ? [{ name: 'none', args: [] }] : userRuntimes;
const daemons = runtimes.map(({ name, args }) => ({ name, test: sharedDaemon({ args, skip: noUserNamespaces || noNriPlugin }) }));
function test(title: string, body: E2eBody): void {
  for (const daemon of daemons) daemon.test(`${title} (${daemon.name})`, body);
}

const SLEEP = ['sleep', '3600'];
/** /dev/full: writing to it fails with words of its own. */
const FULL = { type: 'c', major: 1, minor: 7 };

async function adjusting<T>(daemon: TestDaemon, adjust: object, work: () => Promise<T>): Promise<T> {
  const rules = [{ call: 'CreateContainer', answer: { adjust } }] as const;
  const plugin = await NriPlugin.start(daemon.nriSocket, { events: ['CreateContainer'], rules });
  try {
    return await work();
  } finally {
    await plugin.stop();
  }
}

test('a device of a plugin is the one of that number, whatever the host has at its path', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  for (const path of ['/dev/elsewhere', '/dev/loop-control', '/dev/full']) {
    const devices = [{ ...FULL, path, fileMode: { value: 0o600 }, uid: { value: 5 } }];
    const id = await adjusting(daemon, { linux: { devices } }, async () =>
      runContainer(daemon, pod, SLEEP, { name: `at-${path.slice(5)}` }),
    );
    assert.equal(await execOutput(daemon, id, ['stat', '-c', '%t:%T', path]), '1:7', path);
    const { exitCode, stderr } = await execSync(daemon, id, shell(`echo x > ${path}`));
    assert.notEqual(exitCode, 0);
    assert.match(Buffer.from(stderr).toString(), /No space left on device/, path);
  }
});

test('mounts, a sysctl, limits and a new namespace are as in any pod', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const adjust = {
    mounts: [
      { destination: '/plugin/file', source: join(directory, 'file'), options: ['bind', 'ro'] },
      { destination: '/plugin', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] },
    ],
    env: [{ key: 'A', value: 'b' }],
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }],
    linux: { sysctl: { 'net.ipv4.ip_default_ttl': '77' }, oomScoreAdj: { value: 500 }, namespaces: [{ type: 'uts' }] },
  };
  const id = await adjusting(daemon, adjust, async () => runContainer(daemon, pod, SLEEP, { name: 'adjusted' }));
  const script =
    'cat /plugin/file; echo; touch /plugin/x && echo $A $(cat /proc/sys/net/ipv4/ip_default_ttl /proc/1/oom_score_adj); ulimit -Hn';
  assert.equal(await execOutput(daemon, id, shell(script)), 'from a plugin\nb 77 500\n200');
});

const REFUSED: readonly (readonly [adjust: object, words: RegExp])[] = [
  [{ linux: { devices: [{ path: '/dev/x', type: 'c', major: 4000, minor: 1 }] } }, /linux\.devices: "\/dev\/x" is c 4000:1, which is nowhere in \/dev/],
  [{ linux: { devices: [{ path: '/dev/x', type: 'p' }] } }, /"\/dev\/x" is p 0:0, which is nowhere in \/dev/],
  [{ linux: { namespaces: [{ type: '-network' }] } }, /network is to be the node's, must be its pod's or a new one/],
  [{ linux: { namespaces: [{ type: 'ipc', path: '/proc/1/ns/ipc' }] } }, /ipc is to be "\/proc\/1\/ns\/ipc", must be its pod's or a new one/],
  [{ linux: { namespaces: [{ type: '-user' }] } }, /user is to be the node's, must be its pod's/],
]; // prettier-ignore

test('what cannot be there is refused, and the plugin named', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  for (const [adjust, words] of REFUSED) {
    const { code, message } = await adjusting(daemon, adjust, async () => failureOf(createContainer(daemon, pod, SLEEP)));
    assert.equal(code, 'FAILED_PRECONDITION', message);
    assert.match(message, words);
    assert.match(message, /NRI plugin 10-test: /);
  }
});
