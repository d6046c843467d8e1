import { basename } from 'node:path';
import type { Log } from '../base/log.ts';
import { SpecDirectories } from '../cdi/spec-directories.ts';
import { Networks } from '../cni/networks.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { LiveConfig } from '../config/live-config.ts';
import { AUTO } from '../config/resolve.ts';
import type { Config } from '../config/schema.ts';
import { containerStore } from '../container/container-store.ts';
import { ChosenCgroups } from '../container/chosen-cgroups.ts';
import { Containers } from '../container/containers.ts';
import { noContainerLifecycle } from '../container/lifecycle.ts';
import type { ContainerParts } from '../container/parts.ts';
import { HookDirectories } from '../hooks/hook-directories.ts';
import { History } from '../history/history.ts';
import type { ImageStore } from '../image/store.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import { detectCgroups } from '../linux/cgroups/detect.ts';
import { onThread } from '../linux/kernel-threads.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MonitorOptions } from '../ociruntime/spawn-monitor.ts';
import { SHORT_LIVED_GO } from '../linux/spawn.ts';
import { Criu } from '../ociruntime/criu.ts';
import { OciRuntime } from '../ociruntime/oci-runtime.ts';
import type { CgroupPlacement } from '../ociruntime/placement.ts';
import { CgroupfsPlacement } from '../ociruntime/cgroupfs-placement.ts';
import { SystemdPlacement } from '../ociruntime/systemd-placement.ts';
import { RuntimeHandlers } from '../ociruntime/runtime-handlers.ts';
import type { RestoreParts } from '../pod/restore.ts';
import { noSandboxLifecycle } from '../podsandbox/lifecycle.ts';
import type { SandboxParts } from '../podsandbox/parts.ts';
import { SandboxPaths, type SandboxDirectories } from '../podsandbox/sandbox-paths.ts';
import { sandboxStore } from '../podsandbox/sandbox-store.ts';
import { Sandboxes } from '../podsandbox/sandboxes.ts';
import { readHostFacts, type HostFacts } from '../ocispec/host-facts.ts';
import { Apparmor } from './apparmor.ts';
import { CHILD_ENVIRONMENT } from './child-environment.ts';
import { buildNri, type Nri } from './nri.ts';
import { cniMetrics } from './program-metrics.ts';
import { selinuxFacts } from './selinux.ts';
import { buildSpecSettings } from './spec-settings.ts';
import { pullMetrics } from './pull-metrics.ts';
import { openStorage, type Storage } from './storage.ts';

/** Everything the daemon is made of, put together but not started. */
export interface DaemonParts {
  readonly config: LiveConfig;
  readonly log: Log;
  readonly history: History;
  readonly storage: Storage;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly runtimes: RuntimeHandlers;
  readonly placement: CgroupPlacement;
  readonly cgroups: Cgroups;
  readonly sandboxes: Sandboxes;
  readonly containers: Containers;
  readonly sandboxParts: SandboxParts;
  readonly restoreParts: RestoreParts;
  readonly exitDirectory: string;
  /** Undefined where the configuration has no plugins. */
  readonly nri: Nri | undefined;
  /** Why cAdvisor is told no names, where it is meant to be. */
  readonly cadvisor: { fault: string | undefined };
}

/** Hands each constructor its slice of the configuration. */
export async function buildDaemon(config: LiveConfig, metrics: Metrics, log: Log): Promise<DaemonParts> {
  const { timeouts, cgroupManager, conmon, checkpoint } = config.current;
  const layout = new DiskLayout(config.current);
  const storage = await openStorage(config, log, CHILD_ENVIRONMENT, pullMetrics(metrics));
  const { images } = storage;
  const cgroups = await detectCgroups(log);
  const placement = cgroupManager === 'systemd' ? new SystemdPlacement(cgroups) : new CgroupfsPlacement(cgroups);
  const runtimes = buildRuntimes(config, cgroups);
  const directories = sandboxDirectories(layout);
  const networks = buildNetworks(config, { directories, metrics, log });
  const monitor: MonitorOptions = { conmonPath: conmon, exitDirectory: layout.exits, logSizeMaxBytes: config.current.logSizeMaxBytes };
  const facts = await readHostFacts();
  const selinux = await selinuxFacts(facts, config.current, log);
  const apparmor = startApparmor(facts, config, log);
  const specSettings = await buildSpecSettings(config);
  const common = {
    runtimes,
    placement,
    monitor,
    hostFacts: (): HostFacts => facts,
    apparmor: async (handler: string) => apparmor.facts(apparmorProfileOf(config.current, handler)),
    selinux,
    specSettings,
    createTimeoutMs: (handler: string) => createTimeoutMs(config.current, handler),
    log,
  };
  const nri = buildNri(config, metrics, log);
  const sandboxParts: SandboxParts = {
    ...common,
    store: sandboxStore({ directory: layout.sandboxRecords, badDirectory: layout.bad, log }),
    directories,
    layersDirectory: layout.layers,
    defaultSysctls: () => config.current.defaultSysctls,
    networks,
    lifecycle: nri?.lifecycle.sandboxes ?? noSandboxLifecycle,
    detachBudgetMs: timeouts.cniDelMs,
  };
  const { parkMs } = timeouts;
  const sandboxes = new Sandboxes(sandboxParts, { runBudgetMs: timeouts.runPodSandboxMs, parkMs });
  const recordDirectory = layout.containerRecords;
  const store = containerStore({ directory: recordDirectory, badDirectory: layout.bad, log });
  const containerParts: ContainerParts = {
    ...common,
    store,
    recordDirectory,
    bundleDirectory: layout.bundles,
    execDirectory: layout.execs,
    ...containerSettings(config, nri, metrics, log),
    oomLedgerFile: layout.oomLedger,
    sandboxes,
    images,
    imageUses: storage.imageUses,
    rootfs: storage.rootfs,
    cgroups,
    chosenCgroups: new ChosenCgroups({ store, podCgroups: () => sandboxes.cgroupsOfAll(), placement, cgroups }),
    checkpoints: { level: checkpoint.containers, criu: new Criu(checkpoint.criu), timeoutMs: timeouts.checkpointMs },
  };
  const createBudgetMs = Math.max(...runtimes.names.map((name) => createTimeoutMs(config.current, name)), timeouts.containerCreateMs);
  const containers = new Containers(containerParts, { createBudgetMs, parkMs });
  nri?.lifecycle.attach({ sandboxes, containers, containerParts });
  const restoreParts: RestoreParts = { sandboxes, containers, sandboxParts, containerParts, log };
  return {
    config,
    log,
    history: new History({ directory: layout.history, mostBytes: config.current.history.maxSizeBytes, log }),
    storage,
    images,
    networks,
    runtimes,
    placement,
    cgroups,
    sandboxes,
    containers,
    sandboxParts,
    restoreParts,
    exitDirectory: layout.exits,
    nri,
    cadvisor: { fault: undefined },
  };
}

function sandboxDirectories({ sandboxFiles: files, namespaces, infra, networkCgroups }: DiskLayout): SandboxDirectories {
  return { files, namespaces, infra, networkCgroups };
}

function startApparmor({ apparmor: isOn }: HostFacts, { current }: LiveConfig, log: Log): Apparmor {
  const profiles = Object.keys(current.runtime.handlers).map((handler) => apparmorProfileOf(current, handler));
  const { apparmorState: stateFile } = new DiskLayout(current);
  const apparmor = new Apparmor({ isOn, profiles: [...new Set(profiles)], stateFile, environment: CHILD_ENVIRONMENT, log });
  void apparmor.start();
  return apparmor;
}

/** What RuntimeDefault stands for with a handler; empty is the built-in profile. */
function apparmorProfileOf({ runtime, apparmorProfile }: Config, handler: string): string {
  return runtime.handlers[handler]?.apparmorProfile || apparmorProfile;
}

function buildRuntimes(config: LiveConfig, cgroups: Cgroups): RuntimeHandlers {
  const { runtime, cgroupManager } = config.current;
  const runtimes = Object.entries(runtime.handlers).map(([name, handler]) => {
    const options = {
      name,
      path: handler.path,
      root: handler.root,
      systemdCgroup: cgroupManager === 'systemd',
      options: handler.options,
      createOptions: [...(handler.noPivot ? ['--no-pivot'] : []), ...(handler.noNewKeyring ? ['--no-new-keyring'] : [])],
      environment: environmentOf(handler.path),
    };
    return [name, new OciRuntime(options)] as const;
  });
  const handlers = new Map(runtimes);
  if (runtime.default !== AUTO || handlers.has(AUTO)) return new RuntimeHandlers(runtime.default, handlers);
  // On v1 crun refuses hybrid cgroups, which it only says when it creates a container.
  return new RuntimeHandlers('runc', handlers, { preferred: 'crun', allowed: cgroups.version === 'v2' });
}

/** Most a handler's runtime may take to create a container, milliseconds. */
function createTimeoutMs({ runtime, timeouts }: Config, handler: string): number {
  return runtime.handlers[handler]?.createTimeoutMs || timeouts.containerCreateMs;
}

/** Only runc's: a runtime that leaves a Go process with the container (runsc) must keep the collector's usual setting. */
function environmentOf(path: string): Readonly<Record<string, string>> {
  return basename(path) === 'runc' ? { ...CHILD_ENVIRONMENT, ...SHORT_LIVED_GO } : CHILD_ENVIRONMENT;
}

function buildNetworks(
  config: LiveConfig,
  { directories, metrics, log }: { directories: SandboxDirectories; metrics: Metrics; log: Log },
): Networks {
  const { cni, timeouts, runtime } = config.current;
  const ofHandlers = Object.entries(runtime.handlers).map(([name, { cniConfDir }]) => [name, cniConfDir] as const);
  return new Networks({
    confDir: cni.confDir,
    handlerConfDirs: new Map(ofHandlers.filter(([, dir]) => dir !== '')),
    binDirs: cni.binDirs,
    cacheDir: new DiskLayout(config.current).cni,
    log,
    ...(cni.defaultNetwork === '' ? {} : { networkName: cni.defaultNetwork }),
    addressPreference: cni.ipPreference,
    statusGraceMs: cni.statusGracePeriodMs,
    addTimeoutMs: timeouts.cniAddMs,
    delTimeoutMs: timeouts.cniDelMs,
    observe: cniMetrics(metrics),
    releaseNamespace: async (id) =>
      onThread('unpinNamespaces', { directory: new SandboxPaths(directories, id).namespaces, kinds: ['net'] }),
  });
}

/** What containers ask of the configuration as it is then. */
function containerSettings(
  config: LiveConfig,
  nri: Nri | undefined,
  metrics: Metrics,
  log: Log,
): Pick<ContainerParts, 'countOom' | 'cdi' | 'hooks' | 'lifecycle' | 'imageVolumes' | 'defaultMountsFile' | 'absentMountSourcesToReject'> {
  return {
    countOom: (level) => {
      metrics.add('oomKills', { level });
    },
    lifecycle: nri?.lifecycle.containers ?? noContainerLifecycle,
    cdi: new SpecDirectories(() => config.current.cdiSpecDirs, log),
    hooks: new HookDirectories(() => config.current.hooksDir, log),
    imageVolumes: () => config.current.imageVolumes,
    defaultMountsFile: () => config.current.defaultMountsFile,
    absentMountSourcesToReject: () => config.current.absentMountSourcesToReject,
  };
}
