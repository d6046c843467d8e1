import { messageOf, withWords } from '../base/errors.ts';
import { allSettledOrThrow } from '../base/settle.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { UndoStack } from '../base/undo.ts';
import type { AttachLife } from '../cni/attachment.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { interfaceOfSysctl } from '../linux/namespaces.ts';
import { podSysctls } from '../ocispec/sysctls.ts';
import { startInfra, removeInfra } from './infra.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { attachRequest, detachRequest } from './network.ts';
import { makeNetworkCgroup, removeNetworkCgroup } from './network-cgroup.ts';
import type { InfraProcess, SandboxNetwork, SandboxRecord, SandboxState } from './sandbox.ts';
import { makeRequestedDirectory, makeSandboxFiles, removeSandboxFiles, writeHosts } from './sandbox-files.ts';
import { shmSize } from './shm-size.ts';
import { unpinSandbox } from './unpin.ts';

/**
 * Makes a sandbox: on success it is Ready, on failure nothing of it is left; after a crash the next start removes what is
 * (the record is on disk before the first effect).
 */
export async function runSandbox(parts: SandboxParts, record: SandboxRecord, work: AbortSignal): Promise<void> {
  const { store, log } = parts;
  const undo = new UndoStack();
  try {
    const intent = await step('write record', async () => store.begin(record));
    stage('sandbox.recorded');
    undo.add('forget the record', async () => store.remove(record.id));
    let ownsCgroup = false;
    undo.add('remove the pod cgroup', async () => {
      if (ownsCgroup) await parts.placement.removeParent(record.cgroupParent);
    });
    undo.add('unpin the namespaces', async () => {
      await unpinSandbox(parts, record.id);
    });
    const pinned = step('pin namespaces', async () => pin(parts, record)).then(() => {
      stage('sandbox.pinned');
    });
    undo.add('remove the files', async () => removeSandboxFiles(pathsOf(parts, record.id)));
    const makeCgroup = async (): Promise<void> => {
      // True until we know: what fails half-way is ours. It is removed only where it is empty.
      ownsCgroup = true;
      await step('make pod cgroup', async () => {
        ownsCgroup = await parts.placement.ensureParent(record.cgroupParent);
        undo.add('remove the cgroup of the network', async () => removeNetworkCgroup(parts, record));
        await makeNetworkCgroup(parts, record);
      });
    };
    // The plugins take longest by far: all else waits until they are under way, and is done beside them.
    const { promise: begun, resolve } = Promise.withResolvers<undefined>();
    const begin = (): void => {
      resolve(undefined);
    };
    const [network, infra] = await allSettledOrThrow([
      attachNetwork(parts, record, { namespaceMade: pinned, begun: begin }, work, undo).finally(begin),
      begun.then(makeCgroup).then(async () => makeInfra(parts, record, pinned, work, undo)),
      begun.then(async () => step('make pod files', async () => makeFiles(parts, record, work))).then(intent.flush),
      pinned,
    ]);
    if (network.ips.length > 0) await step('make pod files', async () => writeHosts(pathsOf(parts, record.id), record, network.ips));
    await step('flush record', intent.flush);
    const restored = record.restoredFrom === undefined ? {} : { isRestored: false };
    const state: SandboxState = { is: 'Ready', network, infra, ownsCgroup, ...restored };
    await parts.lifecycle.run({ record, state }, work, async () => {
      stage('sandbox.hooked');
      await step('write record', async () => store.save(record.id, state));
      stage('sandbox.ready');
    });
  } catch (error) {
    for (const failure of await step('undo', async () => undo.run())) {
      log.error(`run pod sandbox: undoing failed: ${failure.what}`, { sandboxId: record.id, error: messageOf(failure.error) });
    }
    throw withWords(`run pod sandbox ${record.name}`, error);
  }
}

async function pin(parts: SandboxParts, record: SandboxRecord): Promise<void> {
  const { net, ipc } = record.namespaces;
  const ownNetwork = net === 'pod';
  const sysctls = sysctlsOf(parts, record, 'before the network');
  await onThread('pinNamespaces', {
    directory: pathsOf(parts, record.id).namespaces,
    net: ownNetwork,
    ipc: ipc === 'pod',
    uts: ownNetwork,
    user: record.namespaces.user,
    layers: parts.layersDirectory,
    ...(ownNetwork ? { hostname: record.hostname } : {}),
    sysctls,
    loopback: ownNetwork,
  });
}

/**
 * Sysctls of an interface (net.ipv4.conf.eth0.*) do not exist before the network is there. The others are set before it, so that
 * plugins see them.
 */
function sysctlsOf(parts: SandboxParts, record: SandboxRecord, when: 'before the network' | 'after the network'): Record<string, string> {
  const all = Object.entries(podSysctls(record.config.linux?.sysctls ?? {}, record.namespaces, parts.defaultSysctls()));
  return Object.fromEntries(all.filter(([name]) => (interfaceOfSysctl(name) === undefined) === (when === 'before the network')));
}

async function attachNetwork(
  parts: SandboxParts,
  record: SandboxRecord,
  life: AttachLife,
  work: AbortSignal,
  undo: UndoStack,
): Promise<SandboxNetwork> {
  if (record.namespaces.net === 'node') return { ips: [] };
  const request = attachRequest(record, pathsOf(parts, record.id).netns);
  undo.add('detach the network', async () => {
    try {
      await parts.networks.detach(detachRequest(record, request.netnsPath), AbortSignal.timeout(parts.detachBudgetMs));
    } catch (error) {
      // Nobody sees this pod any more and its name is free; the namespace stays until the release has worked.
      await parts.networks.detachLater(detachRequest(record, undefined));
      throw error;
    }
  });
  const { ips } = await step('attach network', async () => parts.networks.attach(request, work, life));
  stage('sandbox.attached');
  const sysctls = sysctlsOf(parts, record, 'after the network');
  if (Object.keys(sysctls).length > 0) await onThread('setNetworkSysctls', { netnsPath: request.netnsPath, sysctls });
  return { ips };
}

async function makeInfra(
  parts: SandboxParts,
  record: SandboxRecord,
  pinned: Promise<void>,
  work: AbortSignal,
  undo: UndoStack,
): Promise<InfraProcess | undefined> {
  if (record.namespaces.pid !== 'pod') return undefined;
  await pinned;
  undo.add('remove the infra container', async () => removeInfra(parts, record, undefined));
  const namespaces = pathsOf(parts, record.id).namespacesOf(record);
  return step('start infra container', async () => startInfra(parts, record, namespaces, work));
}

async function makeFiles(parts: SandboxParts, record: SandboxRecord, work: AbortSignal): Promise<void> {
  const logDirectory = record.config.logDirectory;
  await Promise.all([
    makeSandboxFiles(pathsOf(parts, record.id), record, shmSize(record.config, record.runtimeHandler, parts)),
    logDirectory === '' ? Promise.resolve() : makeRequestedDirectory(logDirectory, record.selinux !== undefined, work),
  ]);
  stage('sandbox.files');
}
