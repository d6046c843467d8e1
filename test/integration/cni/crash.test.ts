// long: 20 s
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { findProcessesByEnvironment } from '../../../src/linux/process.ts';
import { installPlugin, makeCniLab, REAL_PLUGINS, removeFirewallRules, settleBridge } from '../../support/cni.ts';
import { networksOf, podIn, soon } from '../../support/networks.ts';
import type { ChildProcess } from 'node:child_process';
import { pathExists } from 'fs-extra/esm';
import type { NetworkAttachRequest } from '../../../src/cni/attachment.ts';
import type { CniLab } from '../../support/cni.ts';

const LIFE = join(import.meta.dirname, '../../fixtures/cni/life.ts');

function live(lab: CniLab, request: NetworkAttachRequest, steps: readonly string[], killAt?: string): ChildProcess {
  const { confDir, binDir, cacheDir } = lab;
  const options = { confDir, binDirs: [binDir], cacheDir, addTimeoutMs: 10_000, delTimeoutMs: 10_000, retryMs: 50 };
  const env = killAt === undefined ? process.env : { ...process.env, PODWRIGHT_KILL_AT: killAt };
  const daemon = spawn(process.execPath, [LIFE, JSON.stringify({ options, request, steps })], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  daemons.push(daemon);
  return daemon;
}

const daemons: ChildProcess[] = [];
// One that a failed test has left would keep the process of this file.
after(() => {
  for (const daemon of daemons) daemon.kill('SIGKILL');
});

/** What a daemon does at start: it detaches what nobody claims, and the queue runs empty. Then the same pod is attached again. */
async function restoreAndTryAgain(lab: CniLab, request: NetworkAttachRequest): Promise<void> {
  const networks = networksOf(lab);
  await networks.start();
  try {
    const pinned = await pathExists(request.netnsPath);
    for (const containerId of await networks.attachments()) {
      await networks.detach({ ...request, containerId, netnsPath: pinned ? request.netnsPath : undefined }, soon());
    }
    for (let tries = 0; networks.pendingDetaches().length > 0; tries += 1) {
      assert.ok(tries < 250, 'the queue is not empty after 5 s');
      await pause(20);
    }
    if (!pinned) await removeFirewallRules(request.containerId);
    assert.deepEqual(await lab.leftovers(), []);
    assert.deepEqual(await readdir(join(lab.cacheDir, 'attachments')), []);
    assert.deepEqual(await readdir(join(lab.cacheDir, 'pending')), []);
    const again = pinned ? request : { ...request, netnsPath: lab.namespace('again') };
    await networks.attach(again, soon());
    await networks.detach(again, soon());
    assert.deepEqual(await lab.leftovers(), []);
  } finally {
    await networks.close();
  }
}

const CRASHES: [string, string[], boolean][] = [
  ['cni.intent-recorded', ['attach'], false],
  ['cni.plugin-added', ['attach'], false],
  ['cni.added', ['attach'], false],
  ['cni.result-recorded', ['attach'], false],
  ['cni.deleted', ['attach', 'detach'], false],
  ['cni.record-removed', ['attach', 'detach'], false],
  ['cni.detach-queued', ['attach', 'queue'], false],
  ['cni.deleted', ['attach', 'queue'], false],
  ['cni.record-removed', ['attach', 'queue'], false],
  ['cni.deleted', ['attach'], true],
  ['cni.record-removed', ['attach'], true],
];

for (const [killAt, steps, fails] of CRASHES) {
  test(`a daemon killed at ${killAt} of ${fails ? 'a failing ' : ''}${steps.join(', ')} leaves nothing that the next one does not remove`, async (t) => {
    const lab = await makeCniLab();
    t.after(() => lab.remove());
    await installPlugin(lab.binDir, 'fixture', fails ? 'fails' : 'passes', ['ADD']);
    await lab.configure([lab.bridgePlugin, { type: 'portmap', capabilities: { portMappings: true } }, { type: 'fixture' }]);
    const hostPort = 20_000 + Math.floor(Math.random() * 10_000);
    const request = { ...podIn(lab), capabilityArgs: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' as const }] } };

    const daemon = live(lab, request, steps, killAt);
    const [, signal] = (await once(daemon, 'exit', { signal: soon() })) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL', `${killAt} was not passed`);
    await installPlugin(lab.binDir, 'fixture', 'passes');
    await restoreAndTryAgain(lab, request);
  });
}

test('a plugin that outlives its killed daemon adds nothing after the next daemon has cleaned up', async (t) => {
  const lab = await makeCniLab();
  t.after(() => lab.remove());
  await settleBridge(lab);
  await installPlugin(lab.binDir, 'slow-bridge', 'dawdles', ['ADD']);
  await lab.configure([{ ...lab.bridgePlugin, type: 'slow-bridge' }]);
  const request = podIn(lab);
  const daemon = live(lab, request, ['attach']);
  for (let tries = 0; !(await readFile(join(lab.binDir, 'slow-bridge.calls'), 'utf8').catch(() => '')).startsWith('ADD'); tries += 1) {
    assert.ok(tries < 250, 'the plugin does not run after 5 s');
    await pause(20);
  }
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  await rm(join(lab.binDir, 'slow-bridge'));
  await symlink(join(REAL_PLUGINS, 'bridge'), join(lab.binDir, 'slow-bridge'));

  await restoreAndTryAgain(lab, request);
  await pause(1600);
  assert.deepEqual(await lab.leftovers(), []);
});

for (const step of ['detach', 'queue']) {
  test(`a DEL that hangs in a ${step} when the daemon is killed is ended by the next start, and what an ADD left behind lives on`, async (t) => {
    const lab = await makeCniLab();
    t.after(() => lab.remove());
    await installPlugin(lab.binDir, 'service', 'leaves-a-child', ['ADD']);
    await installPlugin(lab.binDir, 'hung', 'hangs', ['DEL']);
    await lab.configure([lab.bridgePlugin, { type: 'service' }, { type: 'hung' }]);
    const request = podIn(lab);
    /** The plugins' processes by their pid, with the verb. */
    const running = async (): Promise<Map<number, string>> => {
      const found = await findProcessesByEnvironment('CNI_CONTAINERID', request.containerId);
      const verbs = found.map(async ({ pid }): Promise<[number, string]> => {
        const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
        return [pid, /\0CNI_COMMAND=(\w+)/.exec(`\0${text}`)?.[1] ?? ''];
      });
      return new Map(await Promise.all(verbs));
    };
    t.after(async () => {
      for (const { pid } of await findProcessesByEnvironment('CNI_CONTAINERID', request.containerId)) process.kill(pid, 'SIGKILL');
    });
    const daemon = live(lab, request, ['attach', step]);
    for (let tries = 0; !(await readFile(join(lab.binDir, 'hung.calls'), 'utf8').catch(() => '')).includes('DEL'); tries += 1) {
      assert.ok(tries < 250, 'the plugin does not run after 5 s');
      await pause(20);
    }
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    const outlived = await running();
    assert.ok([...outlived.values()].includes('DEL'), 'the plugin does not outlive the daemon');

    await installPlugin(lab.binDir, 'hung', 'passes');
    const networks = networksOf(lab);
    t.after(() => networks.close());
    await networks.start();
    // The queue may have begun a DEL of its own by now.
    const left = [...(await running())].filter(([pid]) => outlived.has(pid));
    assert.deepEqual(
      left.map(([, verb]) => verb),
      ['ADD'],
    );
    const { containerId } = request;
    if (step === 'detach') await networks.detach({ ...request, netnsPath: request.netnsPath }, soon());
    for (let tries = 0; networks.pendingDetaches().some((detach) => detach.containerId === containerId); tries += 1) {
      assert.ok(tries < 250, 'the queue is not empty after 5 s');
      await pause(20);
    }
    if (step === 'queue') await removeFirewallRules(containerId);
    assert.deepEqual(await lab.leftovers(), []);
  });
}
