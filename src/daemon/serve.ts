import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AdminServer } from '../admin/server.ts';
import { sleep } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { PinoLog } from '../base/pino-log.ts';
import { addStepSink } from '../base/steps.ts';
import { configuredTls } from '../base/server-tls.ts';
import { VERSION } from '../base/version.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { Config } from '../config/schema.ts';
import { becomeSubreaper, startZombieSweep } from '../linux/children.ts';
import { lockFile, type FileLock } from '../linux/files.ts';
import { trimHeap } from '../linux/heap.ts';
import { useMemoryFiles } from '../linux/memory-files.ts';
import { warmThreadPool } from '../linux/namespaces.ts';
import { sdNotify } from '../linux/systemd.ts';
import { listenMetrics } from '../metrics/listen.ts';
import { Metrics } from '../metrics/metrics.ts';
import { stepMetrics } from '../metrics/step-metrics.ts';
import { ExitDirectory } from '../ociruntime/exit-directory.ts';
import { routeExit, watchInfraProcesses } from '../pod/exit-router.ts';
import { inventoryOf } from '../pod/inventory.ts';
import { removeUnclaimed } from '../pod/leftovers.ts';
import { watchNamespaces } from '../pod/namespace-watch.ts';
import { restore } from '../pod/restore.ts';
import { prepareInfraRootfs } from '../podsandbox/infra.ts';
import { runtimeService } from '../runtimeservice/service.ts';
import { imageService } from '../imageservice/service.ts';
import { FiguresReader } from '../stats/figures.ts';
import { PodFiguresReader } from '../stats/pod-figures.ts';
import { PodUsageReader } from '../stats/pod-usage.ts';
import { Sampler } from '../stats/sampler.ts';
import { listen, unimplementedRpcs } from '../server/listen.ts';
import { StreamingServer } from '../streaming/server.ts';
import { streamingBackend } from './streaming-backend.ts';
import { openCadvisor, publishCadvisor } from './cadvisor.ts';
import { adminBackend } from './admin-backend.ts';
import { startWatchdog } from './watchdog.ts';
import { nodeLacksForUserNamespaces } from './user-namespaces.ts';
import { buildDaemon, type DaemonParts } from './build.ts';
import { keepCompiledCode } from './compiled-code.ts';
import { watchEventLoop, type LoopWatch } from './loop-metrics.ts';
import { noteVersion, refuseNewerRecords } from './newer-records.ts';
import { leakMetrics, objectMetrics } from './object-metrics.ts';
import { countPrograms } from './program-metrics.ts';
import { Reloads } from './reload.ts';
import { tellSlowPrograms } from './slow-programs.ts';
import { startTracing } from './tracing.ts';

/** How long calls under way may take when the daemon is asked to end, milliseconds. */
const GRACE_MS = 10_000;

/** What is closed at the end, newest first. */
type Closer = () => Promise<void> | void;

/** Runs the daemon until SIGTERM or SIGINT. @throws where it cannot start, with what to do about it. */
export async function serve(config: LiveConfig): Promise<void> {
  const { log: logConfig, runDir } = config.current;
  const log = PinoLog.open({ level: logConfig.level, format: logConfig.format });
  const closers: Closer[] = [];
  // A promise that nobody waited for has failed: a bug to be told, but no reason to end the daemon of a whole node.
  process.on('unhandledRejection', (error) => {
    log.error('a failure that nobody expected', { error });
  });
  const ended = nextEnd();
  const reloads = new Reloads();
  const metrics = new Metrics();
  closers.push(addStepSink(stepMetrics(metrics)), await startTracing(config.current, metrics, log));
  countPrograms(config.current, metrics);
  closers.push(tellSlowPrograms(config, metrics, log));
  const loop = watchEventLoop(metrics, log);
  closers.push(() => {
    loop.stop();
  });
  try {
    const locks = await takeRoot(config.current);
    closers.push(() => {
      for (const lock of locks) lock.release();
    });
    await refuseNewerRecords(config.current);
    await mkdir(runDir, { recursive: true, mode: 0o711 });
    await useMemoryFiles(runDir);
    warmThreadPool();
    becomeSubreaper();
    const sweep = startZombieSweep();
    closers.push(() => {
      sweep.stop();
    });
    const parts = await buildDaemon(config, metrics, log);
    closers.push(async () => parts.history.close(), addStepSink(parts.history));
    await noteVersion(config.current);
    await startAdapters(parts, closers);
    // After what is being made has settled: it is made as plugins want it to the end.
    closers.push(async () => parts.nri?.plugins.close());
    await restoreState(parts, metrics, closers);
    objectMetrics(parts, metrics);
    void freeUnusedAddresses(parts);
    // Those that the daemon launches know of all that is there before the first call; others come when they come.
    await parts.nri?.plugins.start(parts.nri.lifecycle);
    keepCompiledCode();
    await openEdge(parts, { metrics, loop }, closers);
    reloads.follow(parts, log);
    metrics.set('startSeconds', {}, performance.now() / 1000);
    sdNotify('READY=1');
    closers.push(startWatchdog(config.current.listenPath, log));
    const signal = await ended;
    sdNotify('STOPPING=1');
    log.info('stopping', { signal });
  } finally {
    await closeAll(closers, log);
  }
  log.info('stopped; the containers go on');
}

async function takeRoot(config: Config): Promise<readonly FileLock[]> {
  const { root, imagestore } = config;
  await mkdir(root, { recursive: true, mode: 0o711 });
  const { lockFile: ofRoot, imagestoreLock } = new DiskLayout(config);
  const lock = lockFile(ofRoot);
  if (lock === false)
    throw new DaemonError('FailedPrecondition', `serve: another podwright already works on ${root}; a root has one daemon`);
  if (imagestoreLock === undefined) return [lock];
  await mkdir(imagestore, { recursive: true, mode: 0o711 });
  const ofImages = lockFile(imagestoreLock);
  if (ofImages === false)
    throw new DaemonError('FailedPrecondition', `serve: another podwright already works on imagestore ${imagestore}; it has one daemon`);
  return [lock, ofImages];
}

async function startAdapters(parts: DaemonParts, closers: Closer[]): Promise<void> {
  const { config, networks, storage, runtimes, log, sandboxParts } = parts;
  await storage.start();
  closers.push(async () => storage.close());
  await networks.start();
  closers.push(async () => networks.close());
  const layout = new DiskLayout(config.current);
  const [nodeLacks] = await Promise.all([
    nodeLacksForUserNamespaces(config.current.runDir, layout.userNamespaceProbe),
    runtimes.probe(log),
    prepareInfraRootfs(sandboxParts),
  ]);
  const asking = new AbortController();
  void runtimes.askAgain(log, asking.signal);
  closers.push(() => {
    asking.abort();
  });
  runtimes.nodeLacks = nodeLacks;
  if (nodeLacks !== undefined) log.info('pods can have no user namespaces', { reason: nodeLacks });
}

async function restoreState(parts: DaemonParts, metrics: Metrics, closers: Closer[]): Promise<void> {
  const { restoreParts, log, exitDirectory, sandboxes, containers, images } = parts;
  const { bundleDirectory, execDirectory } = restoreParts.containerParts;
  // Files of execs whose daemon is gone: nothing reads them any more.
  await rm(execDirectory, { recursive: true, force: true });
  for (const directory of [exitDirectory, execDirectory]) await mkdir(directory, { recursive: true, mode: 0o700 });
  await mkdir(bundleDirectory, { recursive: true });
  // The runtime goes through it as root of a pod with a user namespace; what lies in it is closed.
  await chmod(bundleDirectory, 0o711);
  const ended = new AbortController();
  closers.push(() => {
    ended.abort();
  });
  const kinds = inventoryOf(restoreParts);
  const countLeak = leakMetrics(metrics, kinds);
  await restore(restoreParts, {
    afterwards: async () => removeUnclaimed(kinds, log, countLeak),
    signal: ended.signal,
  });
  const restored = { sandbox: sandboxes.store.list(), container: containers.store.list(), image: images.list() };
  for (const [kind, objects] of Object.entries(restored)) metrics.set('restored', { kind }, objects.length);
  const exits = new ExitDirectory({
    path: exitDirectory,
    log,
    onExit: (id) => {
      routeExit(restoreParts, id);
    },
  });
  await exits.start();
  const infraWatch = new AbortController();
  void watchInfraProcesses(restoreParts, infraWatch.signal);
  void watchNamespaces(restoreParts, infraWatch.signal);
  closers.push(async () => {
    infraWatch.abort();
    exits.close();
    const settled = Promise.all([sandboxes.settled(), containers.settled(), parts.storage.puller.settled()]);
    // What is not finished by then is taken back by the next start, as after a crash.
    await Promise.race([settled, sleep(GRACE_MS)]);
  });
}

/** How long the plugins may take to free what no pod has, milliseconds. New pods wait for it. */
const GC_MS = 10_000;

/** Only the plugins know of addresses whose records on our side are all lost. */
async function freeUnusedAddresses({ networks, sandboxes, log }: DaemonParts): Promise<void> {
  const { store } = sandboxes;
  const inUse = [...store.list().map(({ record }) => record), ...store.listCreating()].map(({ id }) => id);
  try {
    if (await networks.collectGarbage(inUse, AbortSignal.timeout(GC_MS)))
      log.debug('CNI plugins have freed what no pod has', { sandboxCount: inUse.length });
  } catch (error) {
    log.warn('CNI plugins could not free what no pod has', { error: messageOf(error) });
  }
}

async function openEdge(parts: DaemonParts, { metrics, loop }: { metrics: Metrics; loop: LoopWatch }, closers: Closer[]): Promise<void> {
  const { config, log, sandboxes, containers, networks, runtimes, restoreParts, placement, cgroups, storage, images } = parts;
  const writableLayerMountpoint = storage.mountpoint;
  const { listenPath, socketMode, socketUid, socketGid } = config.current;
  metrics.set('buildInfo', { version: VERSION, node: process.version }, 1);
  metrics.add('eventsDropped', { stream: 'container events' }, 0);
  const streaming = await startStreaming(parts, closers);
  const runtime = runtimeService({
    sandboxes,
    containers,
    networks,
    runtimes,
    pod: restoreParts,
    cgroupDriver: placement.driver,
    usage: new PodUsageReader({ sandboxes, containers, sampler: new Sampler(cgroups), writableLayerMountpoint }),
    figures: new PodFiguresReader({ sandboxes, containers, figures: new FiguresReader(cgroups), writableLayerMountpoint }),
    streaming,
    onEventLost: () => {
      metrics.add('eventsDropped', { stream: 'container events' });
    },
    describe: () => ({ ...config.current }),
  });
  const image = imageService({ images, puller: storage.puller, usage: async () => storage.usage() });
  const admin = new AdminServer(new DiskLayout(config.current).adminSocket, adminBackend(parts, metrics, loop), log);
  await admin.listen();
  closers.push(async () => admin.close());
  if (config.current.metrics.listen !== '') {
    const tls = configuredTls(config.current.metrics);
    const listener = await listenMetrics({ address: config.current.metrics.listen, metrics, log, tls });
    closers.push(async () => listener.close());
  }
  // What new cgroups are named is settled before the first call.
  const cadvisor = await openCadvisor(parts);
  await mkdir(dirname(listenPath), { recursive: true, mode: 0o711 });
  const server = await listen({ path: listenPath, mode: socketMode, uid: socketUid, gid: socketGid, runtime, image, log, metrics });
  closers.push(async () => server.close(GRACE_MS));
  if (cadvisor !== undefined)
    await publishCadvisor(parts, cadvisor, (connection) => {
      server.take(connection);
    });
  closers.push(async () => cadvisor?.close());
  const missing = unimplementedRpcs({ runtime, image });
  log.info('serving the CRI', { version: VERSION, path: listenPath, cgroupManager: placement.driver });
  if (missing.length > 0) log.info('RPCs that this version does not implement', { rpcs: missing });
}

/** How long no session must be open before their buffers are given back to the system, milliseconds. */
const TRIM_AFTER_MS = 1_000;

async function startStreaming(parts: DaemonParts, closers: Closer[]): Promise<StreamingServer> {
  let trim: NodeJS.Timeout | undefined;
  const { address, port, idleTimeoutMs } = parts.config.current.stream;
  const streaming = new StreamingServer({
    address,
    port,
    tls: configuredTls(parts.config.current.stream),
    backend: streamingBackend(parts),
    log: parts.log,
    idleTimeoutMs,
    onIdle: () => {
      trim ??= setTimeout(() => {
        trim = undefined;
        if (streaming.sessionCount === 0) trimHeap();
      }, TRIM_AFTER_MS).unref();
    },
  });
  await streaming.start();
  closers.push(async () => streaming.close());
  return streaming;
}

async function nextEnd(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve);
  });
}

async function closeAll(closers: Closer[], log: Log): Promise<void> {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
    try {
      await close();
    } catch (error) {
      log.error('closing failed', { error: messageOf(error) });
    }
  }
}
