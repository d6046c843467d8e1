import type { AdminBackend } from '../admin/backend.ts';
import type { ProgramReport, StatusReport, UnfinishedWork } from '../admin/reports.ts';
import { fail, messageOf, unlessMissing } from '../base/errors.ts';
import { present } from '../base/field.ts';
import { operation, operationHas, operationIsAbout } from '../base/steps.ts';
import { isoTime } from '../base/time.ts';
import { VERSION } from '../base/version.ts';
import type { PendingDetach } from '../cni/attachment.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { ImageRecord } from '../image/store.ts';
import { run } from '../linux/spawn.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { compareInventory } from '../pod/leftovers.ts';
import { readdir } from 'node:fs/promises';
import type { DaemonParts } from './build.ts';
import type { LoopWatch } from './loop-metrics.ts';
import { imageBackend, reportOf, verifyImages } from './image-backend.ts';
import { debugBackend } from './debug-backend.ts';
import { explainBackend } from './explain-backend.ts';

/** Of a load, so many images are told, and so many names of each: a line of the history has 64 KiB. */
const MOST_TOLD_IMAGES = 16;
const MOST_TOLD_NAMES = 4;

/** What the admin socket serves, out of the daemon's parts. */
export function adminBackend(parts: DaemonParts, metrics: Metrics, loop: LoopWatch): AdminBackend {
  const startedAt = new Date().toISOString();
  const { images, storage } = parts;
  return {
    status: async () => statusReport(parts, startedAt, loop),
    leaks: async () => {
      const { unclaimed, missing } = await compareInventory(parts.restoreParts);
      return { leaked: unclaimed, missing };
    },
    listImages: async () => images.list().map(reportOf),
    resolveImage: async (name, signal) => storage.resolveName(name, signal),
    loadImages: async (archive, signal, progress) => {
      const { loadArchive } = await import('../image/load.ts');
      const { platform, trust } = storage;
      const loaded = await operation('load image', {}, async () => {
        const found = await loadArchive(storage.imageParts, archive, { signal, progress, platform, trust });
        tellLoaded(found);
        return found;
      });
      return loaded.map(reportOf);
    },
    ...imageBackend(parts),
    verifyImages: async (...asked) => verifyImages(parts, ...asked),
    saveImages: async (references, format, target, signal) => {
      const found = references.map(
        (reference) => images.resolve(reference) ?? fail('NotFound', `save images: ${reference} is not present`),
      );
      const { saveArchive } = await import('../image/save.ts');
      await saveArchive(storage.imageParts, found, target, { format, signal });
    },
    debug: debugBackend(parts, metrics),
    explain: explainBackend(parts),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.render() }),
  };
}

/** Says of the load under way what it is about: some of a thousand images, the newest of each one's names. */
function tellLoaded(images: readonly ImageRecord[]): void {
  const told = images.slice(0, MOST_TOLD_IMAGES);
  const names = told.flatMap((image) => image.names.slice(-MOST_TOLD_NAMES));
  operationIsAbout(present({ image: names[0] }));
  operationHas({ images: images.length, imageIds: told.map(({ id }) => id).join(' '), names: names.join(' ') });
}

async function statusReport(parts: DaemonParts, startedAt: string, loop: LoopWatch): Promise<StatusReport> {
  const { config, sandboxes, containers, images, networks, placement, runtimes } = parts;
  const { rss, heapUsed } = process.memoryUsage();
  const network = await networks.status();
  return {
    version: VERSION,
    pid: process.pid,
    startedAt,
    memory: { residentBytes: rss, heapBytes: heapUsed },
    eventLoop: loop.report(),
    listenPath: config.current.listenPath,
    root: config.current.root,
    runDir: config.current.runDir,
    cgroupManager: placement.driver,
    defaultRuntime: runtimes.defaultName,
    configFiles: config.files,
    programs: await programs(parts),
    conditions: [
      { type: 'RuntimeReady', ok: true, reason: '', message: '' },
      { type: 'NetworkReady', ok: network.ready, reason: network.reason, message: network.message },
    ],
    sandboxes: countStates(sandboxes.store.list()),
    containers: countStates(containers.store.list()),
    images: images.list().length,
    unfinished: unfinishedWork(parts),
    setAside: await unlessMissing(readdir(new DiskLayout(config.current).bad), []),
    brokenCdiSpecs: (await parts.restoreParts.containerParts.cdi.current()).broken.map(({ path, error }) => ({ path, error })),
    ...(parts.nri === undefined ? {} : { nri: parts.nri.plugins.describe() }),
    ...present({ cadvisorFault: parts.cadvisor.fault }),
  };
}

function countStates(objects: readonly { readonly state: { readonly is: string } }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of objects) counts[state.is] = (counts[state.is] ?? 0) + 1;
  return counts;
}

function unfinishedWork(parts: DaemonParts): UnfinishedWork[] {
  const { sandboxes, containers, networks } = parts;
  return [
    ...sandboxes.store.listCreating().map((record) => ({ what: `run pod sandbox ${record.name}`, since: isoTime(record.createdAtNs) })),
    ...containers.store.listCreating().map((record) => ({ what: `create container ${record.name}`, since: isoTime(record.createdAtNs) })),
    ...networks.pendingDetaches().map((pending) => ({
      what: `release ${releaseOf(pending)}`,
      detail: `${pending.attempts} tries${pending.lastError === undefined ? '' : `: ${pending.lastError}`}`,
    })),
  ];
}

/** `network pods of pod shop/web-1, sandbox 12ab...`; where its record is lost, the sandbox alone is known. */
function releaseOf({ containerId, network, pod }: PendingDetach): string {
  const words = [
    network === '' ? 'network' : `network ${network}`,
    pod.name === '' ? `of sandbox ${containerId}` : `of pod ${pod.namespace}/${pod.name}, sandbox ${containerId}`,
  ];
  return words.join(' ');
}

async function programs(parts: DaemonParts): Promise<ProgramReport[]> {
  const { config, runtimes } = parts;
  const { conmon } = config.current;
  return Promise.all([
    ...runtimes.names.map(async (name) => ({
      name,
      path: runtimes.get(name).path,
      version: await versionOf(async () => runtimes.get(name).version()),
    })),
    versionOf(async () => firstLine(conmon)).then((version) => ({ name: 'conmon', path: conmon, version })),
    Promise.resolve({ name: 'node', path: process.execPath, version: process.version }),
  ]);
}

async function firstLine(path: string): Promise<string> {
  const result = await run(path, { args: ['--version'], timeoutMs: 5_000 });
  return result.stdout.toString().split('\n')[0] ?? '';
}

async function versionOf(ask: () => Promise<string>): Promise<string> {
  try {
    return await ask();
  } catch (error) {
    return `cannot be run: ${messageOf(error)}`;
  }
}
