import { chown } from 'node:fs/promises';
import { DaemonError } from '../base/errors.ts';
import { isDirectoryAtHand } from '../linux/files.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { makeDirectory, writeSmallFile } from '../linux/memory-files.ts';
import { labelFile } from '../linux/selinux.ts';
import { run } from '../linux/spawn.ts';
import { hostId } from '../linux/user-namespace.ts';
import { podFileContents } from './pod-files.ts';
import type { SandboxPaths } from './sandbox-paths.ts';
import type { SandboxRecord } from './sandbox.ts';

/** Most the making of a log directory may take, milliseconds: it may lie on a file system that hangs. */
const DIRECTORY_TIMEOUT_MS = 20_000;

/** Writes hosts, hostname and resolv.conf, and mounts the pod's /dev/shm where it has an IPC namespace of its own. */
export async function makeSandboxFiles(paths: SandboxPaths, record: SandboxRecord, shmSizeBytes: number): Promise<void> {
  await makeDirectory(paths.files, 0o711);
  const contents = await podFileContents({
    config: record.config,
    hostname: record.hostname,
    hostNetwork: record.namespaces.net === 'node',
  });
  const owner = rootOf(record);
  const context = record.selinux?.mount;
  const write = async (path: string, text: string): Promise<void> => {
    await writeSmallFile(path, text, 0o644);
    if (owner.uid !== 0 || owner.gid !== 0) await chown(path, owner.uid, owner.gid);
    if (context !== undefined) labelFile(path, context);
  };
  await Promise.all([
    write(paths.hosts, contents.hosts),
    write(paths.resolvConf, contents.resolvConf),
    write(paths.hostname, contents.hostname),
  ]);
  if (record.namespaces.ipc === 'node') return;
  await makeDirectory(paths.shm, 0o777);
  await onThread('mountTmpfs', { target: paths.shm, sizeBytes: shmSizeBytes, mode: 0o1777, ...owner, context });
}

/** Who root of the pod is on the node. */
function rootOf({ namespaces: { user } }: SandboxRecord): { uid: number; gid: number } {
  return { uid: hostId(0, user?.uids), gid: hostId(0, user?.gids) };
}

/** Writes hosts again, when the pod's addresses are known: the pod finds itself by its name. */
export async function writeHosts(paths: SandboxPaths, record: SandboxRecord, ips: readonly string[]): Promise<void> {
  const contents = await podFileContents({
    config: record.config,
    hostname: record.hostname,
    hostNetwork: record.namespaces.net === 'node',
    ips,
  });
  await writeSmallFile(paths.hosts, contents.hosts, 0o644);
}

/** Idempotent. */
export async function unmountSandboxShm(paths: SandboxPaths): Promise<void> {
  await onThread('unmount', { path: paths.shm });
}

/** Removes a sandbox's volatile files. Idempotent. */
export async function removeSandboxFiles(paths: SandboxPaths): Promise<void> {
  await unmountSandboxShm(paths);
  await onThread('removeTrees', { paths: [paths.files], mostPauses: Infinity });
}

/**
 * Makes a directory that a request names, in a process of its own: it may lie on a file system that hangs, and four hung
 * calls would stop all file work of this daemon (libuv's pool).
 * @param isLabelled whether it gets the label that the node's SELinux policy has for its place.
 */
export async function makeRequestedDirectory(path: string, isLabelled: boolean, signal: AbortSignal): Promise<void> {
  // The kubelet has just made it, as a rule. What is there already gets its label too.
  if (!isLabelled && isDirectoryAtHand(path)) return;
  const result = await run('mkdir', {
    args: ['-p', '-m', '0755', ...(isLabelled ? ['-Z'] : []), '--', path],
    timeoutMs: DIRECTORY_TIMEOUT_MS,
    signal,
  });
  if (result.exit.code !== 0) throw new DaemonError('Internal', `make directory ${path}: ${result.stderr.toString().trim()}`);
}
