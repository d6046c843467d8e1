/** What SELinux does to pods and their files, by a kernel that enforces it. */
import assert from 'node:assert/strict';
import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { ensureDir, remove } from 'fs-extra/esm';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import type { Init, Mount } from '../../../api/cri/runtime.ts';
import { failureOf } from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';
import { critest } from './critest.ts';
import { Lab, withConfiguration, type Security } from './lab.ts';
import { output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { need, step, tell } from './steps.ts';

const SKIP = 'io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel';
/** A pod on the node's network needs no plugin, which would take most of the time. */
const CONFIGURATION = `selinux = true
hostnetwork_disable_selinux = false
[runtime.handlers.crun]
allowed_annotations = ["${SKIP}"]`;
const SPC = 'system_u:system_r:spc_t:s0';
const DIRECTORY = '/srv/vm-selinux';

const options = (given: Readonly<Record<string, string>>): Security => ({
  selinuxOptions: { user: '', role: '', type: '', level: '', ...given },
});

export async function selinuxCases(node: GuestNode, image: string): Promise<void> {
  // It takes a quarter of the time of runc here.
  const lab = new Lab(node, image, 'crun');
  await need('SELinux: this kernel enforces it, and the daemon is a container engine', async () => {
    assert.equal(await readFile('/sys/fs/selinux/enforce', 'utf8'), '1');
    const domain = await labelOfProcess(await node.mainPid());
    tell({
      kind: 'note',
      text: `the daemon is ${domain}; its policy is ${await output('sestatus').then((text) => text.replaceAll(/\s+/g, ' '))}`,
    });
    assert.equal(domain, 'system_u:system_r:container_engine_t:s0');
  });
  await ensureDir(DIRECTORY);
  // In the domain that the policy has for it, it may not read the journal for this test.
  await output('chcon', '-t', 'bin_t', '/usr/bin/journalctl');
  const before = await node.inventory();
  await step('SELinux: without selinux = true there is one warning, a label is refused, and others run', async () => notAsked(lab));
  await withConfiguration(node, 'selinux', CONFIGURATION, async () => {
    for (const runtime of ['runc', 'crun'])
      await step(`SELinux, ${runtime}: processes, root, shared memory, pod files and logs have the labels of their pod`, async () =>
        labelled(lab, runtime),
      );
    await step('SELinux: the infra container has the label of its pod', async () => infra(lab));
    await step("SELinux: a pod's volume is labelled for it, and another pod cannot read it", async () => privateVolume(lab));
    await step('SELinux: pods with the same level share a volume', async () => sharedVolume(lab));
    await step('SELinux: what has the right label is not written again; an annotation stops at the top', async () => skipped(lab));
    await step('SELinux: directories of the node are never relabelled, by a link neither', async () => systemPaths(lab));
    await step('SELinux: each field of selinux_options counts; what is no label is refused, and nothing is made', async () => fields(lab));
    await step('SELinux: privileged containers and those with processes of the node are not confined', async () => unconfined(lab));
    await step('SELinux: a restore is refused in words, and a checkpoint is taken or refused in those of CRIU', async () => noRestore(lab));
    await step('SELinux: levels are unique and last over restarts and kill -9 of the daemon', async () => restarts(lab));
  });
  await withConfiguration(node, 'selinux', 'selinux = true\n[runtime]\ndefault = "crun"', async () => {
    await step('SELinux: on the network of the node containers are not confined, unless they ask for a type', async () => hostNetwork(lab));
    await critest(node, 'SELinux', 17);
  });
  await remove(DIRECTORY);
  await step('SELinux: nothing is left of those pods', async () => node.assertNothingNew(before));
}

async function labelOfProcess(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/attr/current`, 'utf8')).replace(/\0?\n?$/, '');
}

async function labelOfFile(path: string): Promise<string> {
  return output('stat', '--format=%C', path);
}

function levelIn(label: string): string {
  return label.split(':').slice(3).join(':');
}

const volume = (hostPath: string, selinuxRelabel: boolean): Init<Mount> => ({
  containerPath: '/volume', hostPath, readonly: false, selinuxRelabel, propagation: 0,
}); // prettier-ignore

/** The label of the container's first process, as the kernel tells the node. */
async function labelOf(lab: Lab, containerId: string): Promise<string> {
  return labelOfProcess(await lab.node.pidOf(containerId));
}

async function notAsked(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    await lab.run(pod);
    assert.match(await lab.refusal(pod, options({ level: 's0:c1,c2' })), /asks for the SELinux label ":::s0:c1,c2", but selinux is false/);
  });
  const { message } = await failureOf(lab.inPod({ security: options({ type: 'container_t' }) }, async () => {}));
  assert.match(message, /asks for the SELinux label/);
  const log = await output('journalctl', '--quiet', '--no-pager', '--output=cat', `_PID=${await lab.node.mainPid()}`);
  assert.equal(log.split('\n').filter((line) => line.includes('SELinux is on, but selinux is false')).length, 1);
}

async function labelled(lab: Lab, runtime: string): Promise<void> {
  await lab.inPod({ runtime }, async (pod) => {
    const id = await lab.run(pod);
    const label = await labelOf(lab, id);
    assert.match(label, /^system_u:system_r:container_t:s0:c\d+,c\d+$/);
    const file = `system_u:object_r:container_file_t:${levelIn(label)}`;
    assert.equal(
      await lab.say(id, "tr -d '\\0' < /proc/1/attr/current; echo; tr -d '\\0' < /proc/self/attr/current"),
      `${label}\n${label}`,
    );
    const mounts = await lab.say(id, 'cat /proc/self/mountinfo');
    for (const place of ['/', '/dev', '/dev/shm'])
      assert.ok(
        mounts.split('\n').some((line) => line.split(' ')[4] === place && line.includes(`context="${file}"`)),
        `${place} of\n${mounts}`,
      );
    const use =
      'echo x > /made && echo x > /dev/shm/made && cat /etc/resolv.conf /etc/hosts /etc/hostname > /dev/null && echo end > /dev/termination-log';
    assert.equal(await lab.say(id, use), '');
    const files = `${lab.node.runDir}/sandboxes/${pod.id}`;
    for (const name of ['hosts', 'hostname', 'resolv.conf', 'shm']) assert.equal(await labelOfFile(`${files}/${name}`), file, name);
    const { status } = await lab.node.runtime.containerStatus({ containerId: id });
    for (const path of [pod.config.logDirectory ?? '', status?.logPath ?? ''])
      assert.match(await labelOfFile(path), /:container_log_t:s0$/, path);
    const second = await lab.run(pod);
    assert.equal(await labelOf(lab, second), label);
  });
}

async function infra(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    const label = await labelOf(lab, await lab.run(pod));
    assert.equal(await labelOfProcess(await infraPid(lab, pod)), label);
  }, { pid: NamespaceMode.POD }); // prettier-ignore
}

async function infraPid(lab: Lab, pod: Pod): Promise<number> {
  const { info } = await lab.node.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}

async function freshVolume(name: string): Promise<string> {
  const path = `${DIRECTORY}/${name}`;
  await ensureDir(`${path}/below`);
  await writeFile(`${path}/below/file`, 'secret\n');
  await symlink('/etc/shadow', `${path}/link`);
  return path;
}

async function privateVolume(lab: Lab): Promise<void> {
  const path = await freshVolume('private');
  const shadow = await labelOfFile('/etc/shadow');
  await lab.inPod({}, async (owner) => {
    const mine = await lab.run(owner, {}, [volume(path, true)]);
    const file = `system_u:object_r:container_file_t:${levelIn(await labelOf(lab, mine))}`;
    for (const each of [path, `${path}/below`, `${path}/below/file`, `${path}/link`]) assert.equal(await labelOfFile(each), file, each);
    assert.equal(await labelOfFile('/etc/shadow'), shadow);
    assert.equal(await lab.say(mine, 'cat /volume/below/file; echo y > /volume/new'), 'secret');
    assert.equal(await labelOfFile(`${path}/new`), file);
    await lab.inPod({}, async (stranger) => {
      const other = await lab.run(stranger, {}, [volume(path, false)]);
      assert.match(await lab.say(other, 'cat /volume/below/file'), /^exit 1: .*denied/i);
      assert.match(await lab.say(other, 'echo z > /volume/other'), /^exit 1: .*denied/i);
      // The same path without a label in the way: it is no right of the file system that is missing.
      await output('chcon', '-l', levelIn(await labelOf(lab, other)), `${path}/below/file`, path, `${path}/below`);
      assert.equal(await lab.say(other, 'cat /volume/below/file'), 'secret');
      await output('chcon', '-l', levelIn(file), `${path}/below/file`, path, `${path}/below`);
    });
    assert.equal(await lab.say(mine, 'cat /volume/below/file'), 'secret');
  });
}

async function sharedVolume(lab: Lab): Promise<void> {
  const path = await freshVolume('shared');
  const security = options({ level: 's0:c100,c200' });
  await lab.inPod({ security }, async (one) => {
    await lab.inPod({ security }, async (other) => {
      const [first, second] = [await lab.run(one, {}, [volume(path, true)]), await lab.run(other, {}, [volume(path, true)])];
      assert.equal(await labelOf(lab, first), 'system_u:system_r:container_t:s0:c100,c200');
      assert.equal(await lab.say(first, 'cat /volume/below/file; echo from-first > /volume/new'), 'secret');
      assert.equal(await lab.say(second, 'cat /volume/below/file /volume/new'), 'secret\nfrom-first');
    });
  });
}

async function skipped(lab: Lab): Promise<void> {
  const path = await freshVolume('skipped');
  const security = options({ level: 's0:c3,c4' });
  const file = 'system_u:object_r:container_file_t:s0:c3,c4';
  const changed = async (): Promise<number> => (await stat(`${path}/below/file`)).ctimeMs;
  await lab.inPod({ security }, async (pod) => {
    await lab.create(pod, {}, [volume(path, true)]);
    const then = await changed();
    await lab.create(pod, {}, [volume(path, true)]);
    assert.equal(await changed(), then);
    await output('chcon', 'system_u:object_r:usr_t:s0', `${path}/below/file`);
    await lab.create(pod, {}, [volume(path, true)]);
    assert.equal(await labelOfFile(`${path}/below/file`), file);
  });
  await output('chcon', 'system_u:object_r:usr_t:s0', `${path}/below/file`);
  await lab.inPod({ security, annotations: { [SKIP]: 'true' } }, async (pod) => {
    await lab.create(pod, {}, [volume(path, true)]);
    assert.equal(await labelOfFile(`${path}/below/file`), 'system_u:object_r:usr_t:s0');
    await output('chcon', 'system_u:object_r:usr_t:s0', path);
    await lab.create(pod, {}, [volume(path, true)]);
    assert.equal(await labelOfFile(`${path}/below/file`), file);
  });
}

async function systemPaths(lab: Lab): Promise<void> {
  const link = `${DIRECTORY}/to-etc`;
  await symlink('/etc', link);
  const paths = ['/', '/usr', '/etc', '/home', '/var/lib', link];
  const labels = await Promise.all(paths.map(labelOfFile));
  await lab.inPod({}, async (pod) => {
    for (const path of [...paths, '/etc/', '/usr/../etc'])
      assert.match(
        await lab.refusal(pod, {}, [volume(path, true)]),
        /mounts\.selinux_relabel is true for .*which belongs to the node/,
        path,
      );
    // Without the wish it is a mount like others.
    await lab.create(pod, {}, [volume('/etc', false)]);
  });
  assert.deepEqual(await Promise.all(paths.map(labelOfFile)), labels);
}

async function fields(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    const level = levelIn(await labelOf(lab, await lab.run(pod)));
    const cases: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
      [{ level: 's0:c7,c9' }, 'system_u:system_r:container_t:s0:c7,c9'],
      [{ type: 'spc_t' }, `system_u:system_r:spc_t:${level}`],
      [{ type: 'svirt_lxc_net_t', user: 'system_u', role: 'system_r' }, `system_u:system_r:container_t:${level}`],
    ];
    for (const [given, label] of cases) {
      const id = await lab.run(pod, options(given));
      assert.equal(await labelOf(lab, id), label);
      assert.equal(await lab.say(id, 'touch /a'), '');
      await lab.node.runtime.removeContainer({ containerId: id });
    }
    const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{ level: 's0,c4,c5' }, /selinux_options\.level is "s0,c4,c5", must be a level/],
      [{ level: 's0:c9999' }, /the label ".*s0:c9999", which the SELinux policy of this node does not have/],
      [{ type: 'absent_t' }, /the label "system_u:system_r:absent_t:.*does not have/],
      [{ role: 'a b' }, /selinux_options\.role is "a b"/],
      [{ user: 'absent_u' }, /the label "absent_u:/],
    ];
    for (const [given, words] of wrong) assert.match(await lab.refusal(pod, options(given)), words);
  });
  const { message } = await failureOf(lab.inPod({ security: options({ type: 'absent_t' }) }, async () => {}));
  assert.match(message, /run pod sandbox: selinux_options make the label "system_u:system_r:absent_t:/);
  await lab.inPod({ security: options({ type: 'spc_t', level: 's0:c1,c5' }) }, async (pod) => {
    assert.equal(await labelOf(lab, await lab.run(pod)), 'system_u:system_r:spc_t:s0:c1,c5');
  });
}

async function unconfined(lab: Lab): Promise<void> {
  const path = await freshVolume('privileged');
  await lab.inPod({ security: { privileged: true } }, async (pod) => {
    const free = await lab.run(pod, { privileged: true, ...options({ type: 'container_t', level: 's0:c1,c2' }) });
    assert.equal(await labelOf(lab, free), SPC);
    const first = await lab.run(pod, { privileged: true }, [volume(path, true)]);
    const confined = await lab.run(pod, {}, [volume(path, false)]);
    assert.match(await labelOf(lab, confined), /:container_t:s0:c\d+,c\d+$/);
    // What a privileged container had labelled is the pod's.
    assert.equal(await lab.say(first, 'echo x > /volume/shared; cat /volume/below/file'), 'secret');
    assert.equal(await lab.say(confined, 'cat /volume/shared /volume/below/file'), 'x\nsecret');
  });
  for (const namespaces of [{ pid: NamespaceMode.NODE }, { ipc: NamespaceMode.NODE }]) {
    await lab.inPod({}, async (pod) => {
      assert.equal(await labelOf(lab, await lab.run(pod)), SPC);
      const asked = await lab.run(pod, options({ type: 'container_t' }));
      assert.match(await labelOf(lab, asked), /:container_t:s0:c\d+,c\d+$/);
    }, namespaces); // prettier-ignore
  }
}

async function hostNetwork(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    assert.equal(await labelOf(lab, await lab.run(pod)), SPC);
    assert.match(await labelOf(lab, await lab.run(pod, options({ type: 'container_t' }))), /:container_t:s0:c\d+,c\d+$/);
  });
  // With a network of its own, by a plugin.
  await lab.inPod({}, async (pod) => {
    const id = await lab.run(pod);
    assert.match(await labelOf(lab, id), /:container_t:s0:c\d+,c\d+$/);
    assert.match(await lab.say(id, 'ip addr show eth0'), /inet 10\.88\./);
  }, { network: NamespaceMode.POD }); // prettier-ignore
}

/** CRIU cannot give a label that it was built without, as Debian's is; whether it can work at all is the policy's to say. */
async function noRestore(lab: Lab): Promise<void> {
  await lab.inPod({}, async (pod) => {
    const location = `${DIRECTORY}/checkpoint.tar`;
    await writeFile(location, '');
    assert.match(
      await lab.refusal(pod, {}, [], location),
      /containers have SELinux labels here, and restoring with a label is not supported/,
    );
    const containerId = await lab.run(pod);
    const call = lab.node.runtime.checkpointContainer({ containerId, location, timeout: BigInt(PATIENCE_MS / 1000) });
    const words = await call.then(() => 'taken', async () => (await failureOf(call)).message); // prettier-ignore
    tell({ kind: 'note', text: `checkpoint: ${words}` });
    assert.match(words, /^taken$|CRIU cannot work on this node: criu check says: ./);
    assert.equal(await lab.say(containerId, 'echo on'), 'on');
  });
}

async function restarts(lab: Lab): Promise<void> {
  const { node } = lab;
  const levels: string[] = [];
  const nest = async (left: number): Promise<void> => {
    if (left === 0) return;
    await lab.inPod({}, async (pod) => {
      const label = await labelOf(lab, await lab.run(pod));
      levels.push(levelIn(label));
      if (left % 2 === 0) await node.kill9(async () => {});
      else {
        await node.restart();
        await node.untilReady();
      }
      // A container that comes later has the level that its pod had before.
      assert.equal(await labelOf(lab, await lab.run(pod)), label);
      await nest(left - 1);
    });
  };
  await nest(2);
  assert.equal(new Set(levels).size, 2, levels.join(' '));
}
