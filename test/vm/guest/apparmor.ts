/** What AppArmor does to containers, by a kernel that has it: the profile of their own, the built-in one, and none. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import type { Init, LinuxSandboxSecurityContext } from '../../../api/cri/runtime.ts';
import { containerStatus, failureOf } from '../../support/pods.ts';
import { loadedProfiles, loadProfile, PARSER, unloadProfile } from './apparmor-policy.ts';
import { Lab, withConfiguration, type Security } from './lab.ts';
import { output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { need, step, tell } from './steps.ts';

const BUILT_IN = 'podwright-default';
const CONFINED = `${BUILT_IN} (enforce)`;
const UNCONFINED = 'unconfined';
/** A profile of the node's owner: its name, and what it forbids. */
const OWN = 'vm-no-tmp';
const OWN_TEXT = `profile ${OWN} flags=(attach_disconnected, mediate_deleted) { capability, network, file, signal, ptrace, deny /tmp/** w, }`;

const localhost = (localhostRef: string): Security => ({ apparmor: { profileType: 2, localhostRef } });
const RUNTIME_DEFAULT: Security = { apparmor: { profileType: 0 } };
export async function apparmorCases(node: GuestNode, image: string): Promise<void> {
  const lab = new Lab(node, image);
  await need('AppArmor: this kernel has it on', async () => {
    const lsm = await readFile('/sys/kernel/security/lsm', 'utf8');
    tell({
      kind: 'note',
      text: `security modules: ${lsm}, ${await output(PARSER, '--version').then((text) => text.split('\n')[0] ?? '')}`,
    });
    assert.match(await readFile('/sys/module/apparmor/parameters/enabled', 'utf8'), /^Y/);
  });
  // What runs under the names of the runtimes sends the signals.
  await output(PARSER, '--replace', '/etc/apparmor.d/runc', '/etc/apparmor.d/crun');
  await loadProfile(OWN_TEXT);
  const before = await node.inventory();
  await step('AppArmor: the built-in profile is loaded by the start, and again only where another is there', async () => loadedOnce(node));
  for (const runtime of ['runc', 'crun'])
    await step(`AppArmor, ${runtime}: a container that asks for none is confined, its execs too, and it can be ended`, async () =>
      confined(lab, runtime),
    );
  await step('AppArmor: the built-in profile forbids what reaches the machine, and no more', async () => forbidden(lab));
  await step('AppArmor: containers of a pod may signal and see each other, and not the node', async () => neighbours(lab));
  await step('AppArmor: a Localhost profile acts, by each field; one that is not loaded is refused with its name', async () => named(lab));
  await step('AppArmor: the infra container has the profile of its sandbox', async () => infra(lab));
  await step('AppArmor: a container stays confined over restarts and kill -9 of the daemon', async () => restarts(lab));
  await step('AppArmor: a profile that was taken out of the kernel is loaded again', async () => takenOut(lab));
  await step('AppArmor: apparmor_profile of the configuration counts; where it is not loaded, nothing runs without', async () =>
    owners(lab),
  );
  await step("AppArmor: a handler's apparmor_profile counts for its containers, and for no other's", async () => ofHandler(lab));
  await step('AppArmor: without a parser there is one warning, RuntimeDefault is refused, and others run', async () => noParser(lab));
  await step('AppArmor: nothing is left of those pods', async () => node.assertNothingNew(before));
}

/** The profile of the container's first process, as the kernel tells the node. */
async function profileOf(lab: Lab, containerId: string): Promise<string> {
  return profileOfProcess(await lab.node.pidOf(containerId));
}

async function profileOfProcess(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/attr/apparmor/current`, 'utf8')).trim();
}

/** What the daemon has said of AppArmor since its last start. */
async function told(node: GuestNode): Promise<string[]> {
  const text = await output('journalctl', '--quiet', '--no-pager', '--output=cat', `_PID=${await node.mainPid()}`);
  return text.split('\n').filter((line) => line.includes('AppArmor'));
}

async function loadedOnce(node: GuestNode): Promise<void> {
  await rm(`${node.runDir}/apparmor`, { force: true });
  await node.restart();
  await node.untilReady();
  // The load runs beside the start: a request waits for it.
  const first = await untilTold(node);
  assert.match(first, /podwright-default is loaded/);
  assert.equal((await loadedProfiles()).get(BUILT_IN), 'enforce');
  await node.restart();
  await node.untilReady();
  const second = await untilTold(node);
  assert.match(second, /podwright-default is there already/);
  // Another content under its name is not ours.
  await loadProfile(`profile ${BUILT_IN} { file, }`);
  await node.restart();
  await node.untilReady();
  assert.match(await untilTold(node), /podwright-default is loaded/);
  for (const line of [first, second]) tell({ kind: 'note', text: `the daemon said: ${line.slice(0, 300)}` });
}

async function untilTold(node: GuestNode): Promise<string> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const [line] = await told(node);
    if (line !== undefined) return line;
    assert.ok(Date.now() < end, 'the daemon says nothing of AppArmor');
    await sleep(500);
  }
}

async function confined(lab: Lab, runtime: string): Promise<void> {
  await lab.inPod({ runtime }, async (pod) => {
    const id = await lab.run(pod);
    assert.equal(await profileOf(lab, id), CONFINED);
    const attributes = 'cat /proc/1/attr/current /proc/self/attr/current /proc/self/attr/apparmor/current';
    assert.equal(await lab.say(id, attributes), [CONFINED, CONFINED, CONFINED].join('\n'));
    await lab.node.runtime.stopContainer({ containerId: id, timeout: 60n });
    assert.equal((await containerStatus(lab.node, id)).exitCode, 5);
    const killed = await lab.run(pod, RUNTIME_DEFAULT);
    assert.equal(await profileOf(lab, killed), CONFINED);
    await lab.node.runtime.stopContainer({ containerId: killed, timeout: 0n });
    assert.equal((await containerStatus(lab.node, killed)).exitCode, 137);
  });
}

/** What is tried, and whether the profile must leave it. Each is harmless: it writes what is there. */
const ATTEMPTS: readonly (readonly [script: string, mayConfined: boolean])[] = [
  ['echo h > /proc/sysrq-trigger', false],
  ['cat /proc/sys/vm/swappiness > /tmp/v && cat /tmp/v > /proc/sys/vm/swappiness', false],
  ['cat /proc/sys/kernel/panic > /tmp/v && cat /tmp/v > /proc/sys/kernel/panic', false],
  ['echo Y > /sys/module/printk/parameters/time', false],
  ['cat /sys/firmware/memmap/0/start', false],
  ['mount -t tmpfs tmpfs /mnt && umount /mnt', false],
  ['cat /proc/sys/kernel/shmmax > /tmp/v && cat /tmp/v > /proc/sys/kernel/shmmax', true],
  ['cat /proc/self/oom_score_adj > /tmp/v && cat /tmp/v > /proc/self/oom_score_adj', true],
  ['mkdir /sys/fs/cgroup/inner && rmdir /sys/fs/cgroup/inner', true],
  ['cat /proc/meminfo /proc/sys/vm/swappiness /sys/class/net/lo/mtu > /dev/null', true],
  ['mkdir -p /proc-like/sys && echo x > /proc-like/sys/kernel && chmod 700 /proc-like && rm -r /proc-like', true],
  ['ping -c 1 127.0.0.1 > /dev/null', true],
];

/** Privileged, both have every right and nothing is read-only: only the profile is another. */
async function forbidden(lab: Lab): Promise<void> {
  await lab.inPod({ security: { privileged: true } }, async (pod) => {
    const free = await lab.run(pod, { privileged: true });
    const confinedOne = await lab.run(pod, { privileged: true, ...localhost(BUILT_IN) });
    assert.deepEqual([await profileOf(lab, free), await profileOf(lab, confinedOne)], [UNCONFINED, CONFINED]);
    await lab.say(free, 'mkdir -p /mnt');
    await lab.say(confinedOne, 'mkdir -p /mnt');
    const wrong: string[] = [];
    for (const [script, mayConfined] of ATTEMPTS) {
      const [open, shut] = [await lab.say(free, script), await lab.say(confinedOne, script)];
      if (open.startsWith('exit ')) wrong.push(`unconfined: ${script}: ${open}`);
      const isDenied = /^exit \d+: .*(denied|not permitted)/is.test(shut);
      if (isDenied === mayConfined) wrong.push(`confined: ${script}: ${shut}`);
    }
    assert.deepEqual(wrong, []);
  }, { ipc: NamespaceMode.POD }); // prettier-ignore
}

async function neighbours(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    const [one, other] = [await lab.run(pod), await lab.run(pod)];
    const pid = (await lab.say(other, 'cat /proc/self/stat')).split(' ')[3] ?? '';
    const found = await lab.say(one, `for p in /proc/[0-9]*; do read -r name < $p/comm; echo "\${p#/proc/} $name"; done`);
    const shells = found.split('\n').flatMap((line) => /^(\d+) sh$/.exec(line)?.[1] ?? []);
    assert.ok(shells.length >= 2, `${found}; ${pid}`);
    // The environment of a process is shown to who may trace it.
    for (const shellPid of shells) assert.match(await lab.say(one, `tr '\\0' ' ' < /proc/${shellPid}/environ`), /FROM_KUBELET=yes|^exit \d+: .*no such/i);
    await lab.say(one, `kill -TERM ${shells.join(' ')}`);
    await lab.node.runtime.stopContainer({ containerId: other, timeout: 60n });
    assert.equal((await containerStatus(lab.node, other)).exitCode, 5);
  }, { pid: NamespaceMode.POD }); // prettier-ignore
  const sleeper = spawn('sleep', ['1000'], { stdio: 'ignore' });
  try {
    await lab.inPod({}, async (pod) => {
      const id = await lab.run(pod);
      assert.match(await lab.say(id, `kill -TERM ${sleeper.pid}`), /^exit 1: .*(denied|not permitted)/i);
      assert.equal(await lab.say(id, `kill -0 ${sleeper.pid}`), '');
      const log = await output('journalctl', '--quiet', '--no-pager', '--output=cat', '--dmesg', '--grep=apparmor="DENIED"');
      assert.match(log, new RegExp(`apparmor="DENIED" operation="signal".* profile="${BUILT_IN}".* signal=term peer="unconfined"`));
    }, { pid: NamespaceMode.NODE }); // prettier-ignore
    assert.equal(sleeper.signalCode, null);
  } finally {
    sleeper.kill('SIGKILL');
    await once(sleeper, 'exit');
  }
}

async function named(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    for (const security of [localhost(OWN), localhost(`localhost/${OWN}`), { apparmorProfile: `localhost/${OWN}` }]) {
      const id = await lab.run(pod, security);
      assert.equal(await profileOf(lab, id), `${OWN} (enforce)`);
      assert.match(await lab.say(id, 'mkdir -p /tmp; touch /tmp/a'), /^exit 1: .*denied/i);
      assert.equal(await lab.say(id, 'touch /a'), '');
      await lab.node.runtime.removeContainer({ containerId: id });
    }
    const free = await lab.run(pod, { apparmor: { profileType: 1 } });
    assert.deepEqual([await profileOf(lab, free), await lab.say(free, 'mkdir -p /tmp; touch /tmp/a')], [UNCONFINED, '']);
    for (const security of [localhost('absent'), { apparmorProfile: 'localhost/absent' }])
      assert.match(await lab.refusal(pod, security), /AppArmor profile "absent" is asked for, but it is not loaded on this node/);
  });
  const pods = async (): Promise<string[]> => (await lab.node.runtime.listPodSandbox({})).items.map(({ id }) => id).sort();
  const before = await pods();
  const { message } = await failureOf(lab.inPod({ security: { apparmor: { profileType: 2, localhostRef: 'absent' } } }, async () => {})); // prettier-ignore
  assert.match(message, /AppArmor profile "absent" is asked for, but it is not loaded/);
  assert.deepEqual(await pods(), before);
}

async function infra(lab: Lab): Promise<void> {
  const cases: readonly (readonly [Init<LinuxSandboxSecurityContext>, string])[] = [
    [{}, CONFINED],
    [{ apparmor: { profileType: 2, localhostRef: OWN } }, `${OWN} (enforce)`],
    [{ apparmor: { profileType: 1 } }, UNCONFINED],
  ];
  for (const [security, wanted] of cases) {
    await lab.inPod({ security }, async (pod) => {
      const { info } = await lab.node.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
      assert.equal(await profileOfProcess((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid), wanted);
    }, { pid: NamespaceMode.POD }); // prettier-ignore
  }
}

async function restarts(lab: Lab): Promise<void> {
  const { node } = lab;
  await lab.inPod({}, async (pod) => {
    const id = await lab.run(pod);
    await node.restart();
    await node.untilReady();
    assert.deepEqual([await profileOf(lab, id), await lab.say(id, 'cat /proc/self/attr/current')], [CONFINED, CONFINED]);
    await node.kill9(async () => {});
    assert.deepEqual([await profileOf(lab, id), await lab.say(id, 'cat /proc/self/attr/current')], [CONFINED, CONFINED]);
    await node.runtime.stopContainer({ containerId: id, timeout: 60n });
    assert.equal((await containerStatus(node, id)).exitCode, 5);
  });
}

async function takenOut(lab: Lab): Promise<void> {
  await unloadProfile(BUILT_IN);
  assert.equal((await loadedProfiles()).get(BUILT_IN), undefined);
  await lab.inPod({}, async (pod) => {
    assert.equal(await profileOf(lab, await lab.run(pod)), CONFINED);
  });
}

async function owners(lab: Lab): Promise<void> {
  await withConfiguration(lab.node, 'apparmor', `apparmor_profile = "${OWN}"`, async () => {
    await lab.inPod({}, async (pod) => {
      assert.equal(await profileOf(lab, await lab.run(pod)), `${OWN} (enforce)`);
      await unloadProfile(OWN);
      for (const security of [{}, RUNTIME_DEFAULT])
        assert.match(await lab.refusal(pod, security), /RuntimeDefault is not there: apparmor_profile in the configuration is "vm-no-tmp"/);
      assert.equal(await profileOf(lab, await lab.run(pod, { apparmor: { profileType: 1 } })), UNCONFINED);
    });
  });
  await loadProfile(OWN_TEXT);
}

async function ofHandler(lab: Lab): Promise<void> {
  await withConfiguration(lab.node, 'apparmor', `runtime.handlers.crun.apparmor_profile = "${OWN}"`, async () => {
    await lab.inPod(
      { runtime: 'crun' },
      async (pod) => {
        assert.equal(await profileOf(lab, await lab.run(pod)), `${OWN} (enforce)`);
        assert.equal(await profileOf(lab, await lab.run(pod, RUNTIME_DEFAULT)), `${OWN} (enforce)`);
        assert.equal(await profileOf(lab, await lab.run(pod, { apparmor: { profileType: 1 } })), UNCONFINED);
      },
      { pid: NamespaceMode.POD },
    );
    await lab.inPod({ runtime: 'runc' }, async (pod) => {
      assert.equal(await profileOf(lab, await lab.run(pod)), CONFINED);
    });
  });
}

async function noParser(lab: Lab): Promise<void> {
  const { node } = lab;
  await unloadProfile(BUILT_IN);
  await rename(PARSER, `${PARSER}.away`);
  try {
    await node.restart();
    await node.untilReady();
    assert.match(await untilTold(node), /AppArmor is on, but the profile of RuntimeDefault is not loaded/);
    await lab.inPod({}, async (pod) => {
      // As the runtime does, which newer distributions give a profile of its own that confines nothing.
      assert.match(await profileOf(lab, await lab.run(pod)), /^unconfined$|^runc \(unconfined\)$/);
      assert.equal(await profileOf(lab, await lab.run(pod, localhost(OWN))), `${OWN} (enforce)`);
      assert.match(await lab.refusal(pod, RUNTIME_DEFAULT), /RuntimeDefault is not there: apparmor_parser is not in PATH/);
    });
    // The refusals above are told too.
    assert.equal((await told(node)).filter((line) => line.includes('AppArmor is on, but')).length, 1);
  } finally {
    await rename(`${PARSER}.away`, PARSER);
    await node.restart();
    await node.untilReady();
  }
}
