/* eslint-disable no-restricted-syntax -- all of this runs on a kernel thread, which may wait */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DaemonError, hasErrno } from '../../base/errors.ts';

/**
 * What is done to one cgroup in all trees that it is in: each is one job of a kernel thread, as a file call by itself is a trip from the
 * event loop to libuv's pool and back. A tree that fails keeps no other from being done; the first error is thrown.
 */

/** Where a cgroup's directory is made: a tree's mount, and what has to be passed on from a parent to its new child. */
export interface MakeIn {
  readonly directory: string;
  /** Version 2: `controllers`, before the child is made. Version 1: `cpuset`, after. */
  readonly inherits: 'controllers' | 'cpuset' | 'nothing';
}

/** How all processes of a cgroup are killed. */
export interface KillBy {
  /** Kills all of them at once, where the kernel has it. */
  readonly killFile?: string;
  /** The file that freezes the cgroup, and what is written to it. */
  readonly freezer: { readonly file: string; readonly frozen: string; readonly thawed: string };
}

/** Makes the cgroup of these names, with its parents, in each tree that lacks it. Whether all lacked it. */
export function makeCgroup(trees: readonly MakeIn[], names: readonly string[]): boolean {
  let existed = false;
  inEach(trees, (tree) => {
    existed = makeBelow(tree, names) || existed;
  });
  return !existed;
}

/** Makes the directories whose parent is there. */
export function makeCgroupLeaf(directories: readonly string[]): void {
  inEach(directories, (directory) => {
    unless(['ENOENT'], () => {
      makeDirectory(directory);
    });
  });
}

export function moveToCgroup(directories: readonly string[], pid: number): void {
  inEach(directories, (directory) => {
    writeFileSync(join(directory, 'cgroup.procs'), String(pid));
  });
}

/**
 * Removes the directories with those below them; one that is gone is fine.
 * @param isLast throws EBUSY where processes are still in one
 * @returns whether all are gone
 */
export function removeCgroup(directories: readonly string[], isLast: boolean): boolean {
  let areGone = true;
  inEach(directories, (directory) => {
    areGone = removeBelow(directory, isLast) && areGone;
  });
  return areGone;
}

/** The same, unless a process is in the directory `used` or below it. */
export function removeUnusedCgroup(directories: readonly string[], used: string): boolean {
  return cgroupProcesses(used).length === 0 && removeCgroup(directories, false);
}

/** Removes the directories in which nothing is. */
export function removeEmptyCgroup(directories: readonly string[]): void {
  inEach(directories, (directory) => {
    unless(['ENOENT', 'ENOTEMPTY', 'EBUSY'], () => {
      rmdirSync(directory);
    });
  });
}

/** The names of the directories in these; none of those that are gone. */
export function cgroupChildren(directories: readonly string[]): string[] {
  return [...new Set(directories.flatMap(childrenOf))];
}

/** The processes in a directory and those below it; none where it is gone. */
export function cgroupProcesses(directory: string): number[] {
  return [...processesIn(directory), ...childrenOf(directory).flatMap((name) => cgroupProcesses(join(directory, name)))];
}

/** Kills the processes that are right in these directories, but this one. */
export function killInCgroup(directories: readonly string[]): void {
  inEach(directories, (directory) => {
    for (const pid of processesIn(directory)) if (pid !== process.pid) killOne(pid);
  });
}

/**
 * Kills all processes in a directory and below.
 * @param path the cgroup's, for messages
 * @returns those that were there
 */
export function killCgroup(path: string, directory: string, { killFile, freezer }: KillBy): number[] {
  const pids = cgroupProcesses(directory);
  if (pids.includes(process.pid)) {
    throw new DaemonError('FailedPrecondition', `kill cgroup ${path}: this process is in it, must not be`);
  }
  if (pids.length === 0 || (killFile !== undefined && tryWrite(killFile, '1'))) return pids;
  // One by one: what forks meanwhile is caught by freezing first, and by being looked for again.
  tryWrite(freezer.file, freezer.frozen);
  for (const pid of pids) killOne(pid);
  // v1 delivers the signal only to a thawed process.
  tryWrite(freezer.file, freezer.thawed);
  return pids;
}

/** Does it for each, and throws the first error. */
function inEach<T>(items: readonly T[], act: (item: T) => void): void {
  const errors: unknown[] = [];
  for (const item of items) {
    try {
      act(item);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** Whether it was there. */
function makeBelow(tree: MakeIn, names: readonly string[]): boolean {
  const directory = join(tree.directory, ...names);
  if (names.length === 0 || isDirectory(directory)) return true;
  const parent = join(tree.directory, ...names.slice(0, -1));
  makeBelow(tree, names.slice(0, -1));
  if (tree.inherits === 'controllers') passControllersOn(parent);
  makeDirectory(directory);
  if (tree.inherits === 'cpuset') inheritCpuset(parent, directory);
  return false;
}

/** @throws ENOTDIR where it is something else. */
function isDirectory(path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status !== undefined && !status.isDirectory()) readdirSync(path);
  return status !== undefined;
}

/** One that is there already is fine. */
function makeDirectory(directory: string): void {
  unless(['EEXIST'], () => {
    mkdirSync(directory, { mode: 0o755 });
  });
}

/** Lets the children of `parent` have its controllers. A parent with processes of its own (EBUSY) stays as it is. */
function passControllersOn(parent: string): void {
  const passed = namesIn(join(parent, 'cgroup.subtree_control'));
  for (const name of namesIn(join(parent, 'cgroup.controllers')).filter((each) => !passed.includes(each))) {
    unless(['EBUSY', 'ENOENT', 'EINVAL', 'EACCES', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP'], () => {
      writeFileSync(join(parent, 'cgroup.subtree_control'), `+${name}`);
    });
  }
}

function namesIn(file: string): string[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split(' ')
    .filter((name) => name !== '');
}

/** A new cpuset is empty and takes no process before it has processors and memory nodes. */
function inheritCpuset(parent: string, child: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readFileSync(join(child, file), 'utf8').trim() !== '') continue;
    writeFileSync(join(child, file), readFileSync(join(parent, file)));
  }
}

function removeBelow(directory: string, isLast: boolean): boolean {
  // Most have none below them, and need not be read.
  if (removeDirectory(directory)) return true;
  const areGone = childrenOf(directory).map((name) => removeBelow(join(directory, name), isLast));
  if (areGone.includes(false)) return false;
  if (!isLast) return removeDirectory(directory);
  unless(['ENOENT'], () => {
    rmdirSync(directory);
  });
  return true;
}

/** @returns false where something is in it. */
function removeDirectory(directory: string): boolean {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (hasErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  return true;
}

function childrenOf(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function processesIn(directory: string): number[] {
  try {
    const text = readFileSync(join(directory, 'cgroup.procs'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } catch (error) {
    // ENODEV: removed while open. EOPNOTSUPP: a threaded cgroup, whose processes its parent lists.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}

/** @returns false when the file is not there. */
function tryWrite(file: string, text: string): boolean {
  try {
    // r+, as the default would try to create it.
    writeFileSync(file, text, { flag: 'r+' });
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}

function killOne(pid: number): void {
  // 0: a process of a pid namespace that we cannot see.
  if (pid <= 1) return;
  unless(['ESRCH'], () => {
    process.kill(pid, 'SIGKILL');
  });
}

function unless(codes: readonly string[], act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!hasErrno(error, ...codes)) throw error;
  }
}
