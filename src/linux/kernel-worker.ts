// Entry of the kernel threads, started by kernel-threads.ts.
import { parentPort } from 'node:worker_threads';
import { DaemonError, messageOf } from '../base/errors.ts';
import {
  cgroupChildren,
  cgroupProcesses,
  killCgroup,
  killInCgroup,
  makeCgroup,
  makeCgroupLeaf,
  moveToCgroup,
  removeCgroup,
  removeEmptyCgroup,
  removeUnusedCgroup,
} from './cgroups/tree-calls.ts';
import { readStartInRootSync } from './files.ts';
import { openDirectory, syncFileSystem } from './at-calls.ts';
import { close } from './libc.ts';
import { mountOverlay, mountTmpfs, unmount, unmountAllBelow } from './mounts.ts';
import { pinNamespaces, renewNames, setNetworkSysctls, unpinNamespaces } from './namespaces.ts';
import { tryIdMappedOverlay } from './try-idmapped-overlay.ts';
import { pidsByEnvironment } from './process-environments.ts';
import { readOomLog } from './oom-log.ts';
import { readWaits } from './read-waits.ts';
import { removeTrees } from './remove-tree.ts';
import type { JobAnswer, JobKind, JobRequest, Jobs } from './kernel-jobs.ts';

async function run(job: JobRequest): Promise<Jobs[JobKind]['result']> {
  switch (job.kind) {
    case 'mountOverlay':
      mountOverlay(job);
      return undefined;
    case 'tryIdMappedOverlay':
      await tryIdMappedOverlay(job.directory);
      return undefined;
    case 'mountTmpfs':
      mountTmpfs(job.target, job);
      return undefined;
    case 'syncFileSystem':
      syncDirectoryFileSystem(job.directory);
      return undefined;
    case 'removeTrees':
      return removeTrees(job.paths, job.mostPauses);
    case 'unmount':
      unmount(job.path);
      return undefined;
    case 'unmountAllBelow':
      await unmountAllBelow(job.prefix);
      return undefined;
    case 'pinNamespaces':
      pinNamespaces(job.directory, job);
      return undefined;
    case 'setNetworkSysctls':
      setNetworkSysctls(job.netnsPath, job.sysctls);
      return undefined;
    case 'renewNames':
      renewNames(job);
      return undefined;
    case 'unpinNamespaces':
      unpinNamespaces(job.directory, job.kinds);
      return undefined;
    case 'pidsByEnvironment':
      return pidsByEnvironment(job.wanted, job.progress);
    case 'makeCgroup':
      return makeCgroup(job.trees, job.names);
    case 'makeCgroupLeaf':
      makeCgroupLeaf(job.directories);
      return undefined;
    case 'moveToCgroup':
      moveToCgroup(job.directories, job.pid);
      return undefined;
    case 'removeCgroup':
      return removeCgroup(job.directories, job.isLast);
    case 'removeUnusedCgroup':
      return removeUnusedCgroup(job.directories, job.used);
    case 'removeEmptyCgroup':
      removeEmptyCgroup(job.directories);
      return undefined;
    case 'cgroupChildren':
      return cgroupChildren(job.directories);
    case 'cgroupProcesses':
      return cgroupProcesses(job.directory);
    case 'killInCgroup':
      killInCgroup(job.directories);
      return undefined;
    case 'killCgroup':
      return killCgroup(job.path, job.directory, job.by);
    case 'readOomLog':
      return readOomLog();
    case 'readWaits':
      return readWaits(job.pid);
    case 'readStartInRoot':
      // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
      return readStartInRootSync(job.root, job.path, job.limitBytes);
  }
}

function syncDirectoryFileSystem(directory: string): void {
  const fd = openDirectory(directory);
  try {
    syncFileSystem(fd);
  } finally {
    close(fd);
  }
}

async function answer(job: JobRequest): Promise<JobAnswer> {
  try {
    return { is: 'done', result: await run(job) };
  } catch (error) {
    const { code, errno, syscall, path } = (error instanceof Error ? error : {}) as NodeJS.ErrnoException;
    const fields = JSON.parse(JSON.stringify({ code, errno, syscall, path })) as NodeJS.ErrnoException; // without what is undefined
    return { is: 'failed', kind: error instanceof DaemonError ? error.kind : undefined, message: messageOf(error), fields };
  }
}

parentPort?.on('message', (job: JobRequest) => {
  void answer(job).then((message) => parentPort?.postMessage(message));
});
