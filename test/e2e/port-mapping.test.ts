/** Host ports by the CNI capability portMappings, seen by traffic from outside the pod. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { execa } from 'execa';
import { NamespaceMode, Protocol } from '../../api/cri/enums.ts';
import type { Init, PortMapping } from '../../api/cri/runtime.ts';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { execOutput, podAddress, runContainer, runPod, shell, until, untilPage } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';

const test = sharedDaemon();

const SLEEP = ['sleep', '3600'];

/** A port of the node that is free now; above the range of the kernel's own choices, so that it stays so. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 61_000 + Math.floor(Math.random() * 4_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => {
        resolve(false);
      });
      server.listen(port, () => {
        resolve(true);
      });
    });
    if (!isFree) continue;
    const { port: found } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return found;
  }
}

/** An address of the node that pods and the node itself can use. */
function nodeAddress(daemon: TestDaemon): string {
  const found = networkInterfaces()[daemon.bridge]?.find((entry) => entry.family === 'IPv4')?.address;
  return found ?? assert.fail(`${daemon.bridge} has no address`);
}

const mapping = (hostPort: number, containerPort: number, change: Init<PortMapping> = {}): Init<PortMapping> => ({
  protocol: Protocol.TCP,
  hostPort,
  containerPort,
  hostIp: '',
  ...change,
});

/** A pod with a server on each of these ports, which says the port's number. */
async function servingPod(daemon: TestDaemon, ports: readonly number[], portMappings: readonly Init<PortMapping>[]): Promise<Pod> {
  const pod = await runPod(daemon, { change: { portMappings } });
  const servers = ports.map(
    (port) => `mkdir -p /srv/${port}; echo port ${port} >/srv/${port}/index.html; httpd -p ${port} -h /srv/${port}`,
  );
  await runContainer(daemon, pod, shell(`${servers.join('; ')}; sleep 3600`));
  const address = await podAddress(daemon, pod.id);
  for (const port of ports) assert.equal(await untilPage(`http://${address}:${port}/`), `port ${port}\n`);
  return pod;
}

/** Whether somebody takes connections there. */
async function isOpen(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: 500 });
  try {
    await Promise.race([once(socket, 'connect'), once(socket, 'timeout').then(() => assert.fail('timeout'))]);
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test('two host ports of one pod lead to its two servers, from the node, by loopback and from another pod', async (daemon) => {
  const [first, second] = [await freePort(), await freePort()];
  await servingPod(daemon, [80, 8080], [mapping(first, 80), mapping(second, 8080)]);
  const node = nodeAddress(daemon);

  for (const host of [node, '127.0.0.1']) {
    assert.equal(await untilPage(`http://${host}:${first}/`), 'port 80\n', host);
    assert.equal(await untilPage(`http://${host}:${second}/`), 'port 8080\n', host);
  }
  const client = await runContainer(daemon, await runPod(daemon), SLEEP);
  assert.equal(await execOutput(daemon, client, ['wget', '-q', '-O', '-', `http://${node}:${first}/`]), 'port 80');
});

test('a host port is closed as soon as its pod is stopped, and the next pod may have it', async (daemon) => {
  const port = await freePort();
  const first = await servingPod(daemon, [80], [mapping(port, 80)]);
  const node = nodeAddress(daemon);
  assert.equal(await isOpen(node, port), true);
  await daemon.runtime.stopPodSandbox({ podSandboxId: first.id });
  assert.equal(await isOpen(node, port), false);

  await servingPod(daemon, [8080], [mapping(port, 8080)]);
  assert.equal(await untilPage(`http://${node}:${port}/`), 'port 8080\n');
});

test('a mapping of one address of the node is not open on the others', async (daemon) => {
  // The bridge is there from the first pod on.
  await runPod(daemon);
  const node = nodeAddress(daemon);
  const port = await freePort();
  await servingPod(daemon, [80], [mapping(port, 80, { hostIp: node })]);

  assert.equal(await untilPage(`http://${node}:${port}/`), 'port 80\n');
  assert.equal(await isOpen('127.0.0.1', port), false);
});

test('without a host port nothing is mapped', async (daemon) => {
  const port = await freePort();
  await servingPod(daemon, [port], [mapping(0, port)]);

  assert.equal(await isOpen('127.0.0.1', port), false);
});

test('a UDP host port leads to the pod, TCP of the same number does not', async (daemon) => {
  const port = await freePort();
  const pod = await runPod(daemon, { change: { portMappings: [mapping(port, 5353, { protocol: Protocol.UDP })] } });
  const pid = await pidOf(daemon, await runContainer(daemon, pod, SLEEP));
  const echo = `const s = require('node:dgram').createSocket('udp4'); s.on('message', (text, from) => s.send('echo ' + text, from.port, from.address)); s.bind(5353)`;
  const server = execa('nsenter', ['--target', String(pid), '--net', process.execPath, '-e', echo], { stdio: 'ignore', reject: false });
  const socket = createSocket('udp4');
  try {
    const answers: string[] = [];
    socket.on('message', (text) => answers.push(String(text)));
    const node = nodeAddress(daemon);
    await until('the UDP server answers', async () => {
      socket.send('hello', port, node);
      return answers.length > 0;
    });
    assert.equal(answers[0], 'echo hello');
    assert.equal(await isOpen(node, port), false);
  } finally {
    socket.close();
    server.kill('SIGKILL');
    await server;
  }
});

test('a pod on the node network needs no mapping: its host port is its port', async (daemon) => {
  const port = await freePort();
  const pod = await runPod(daemon, { namespaces: { network: NamespaceMode.NODE }, change: { portMappings: [mapping(port, port)] } });
  await runContainer(daemon, pod, ['httpd', '-f', '-p', String(port), '-h', '/www']);

  assert.match(await untilPage(`http://127.0.0.1:${port}/`), /It works/);
});

e2eTest(
  'where no plugin has the capability, a pod with a host port starts with one warning: its network may map it by itself',
  async (daemon) => {
    await daemon.writeCniConf(daemon.bridgePlugins().slice(0, 1));
    await daemon.restart();
    const port = await freePort();
    const { id } = await servingPod(daemon, [80], [mapping(port, 80), mapping(await freePort(), 8080)]);

    const log = await readFile(daemon.logFile, 'utf8');
    const warnings = log.split('\n').filter((line) => line.includes(' WARN ') && line.includes(id));
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.match(warnings[0] ?? '', new RegExp(`no plugin has the portMappings capability, so nothing is told of host port ${port}`));
    assert.equal(await isOpen(nodeAddress(daemon), port), false);
  },
);
