import { attachTree, mount, MS_RDONLY } from './mount-calls.ts';
import { bind, bindSyscall, check, close, errnoError, lastErrno, O_DIRECTORY, O_PATH, open } from './libc.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';

export interface OverlayOptions {
  /** Read-only directories, topmost first. At most 500 (the kernel's OVL_MAX_STACK). */
  readonly lower: readonly string[];
  /** Where changes go; together with `work`, which must be an empty directory of the same file system. */
  readonly upper?: string;
  readonly work?: string;
  readonly target: string;
  /** Further options: `index=off`, `metacopy=off`, `context=LABEL` without quotes. */
  readonly options?: readonly string[];
  /**
   * Never syncs `upper`, so that no unmount waits for the disk. It is for what nobody wants after a loss of power. The kernel
   * refuses the same `upper` and `work` the next time, until {@link VOLATILE_MARK} is gone from `work`. No effect before Linux
   * 5.10.
   */
  readonly volatile?: boolean;
  readonly readOnly?: boolean;
}

/** A directory below `work`: Documentation/filesystems/overlayfs.rst, "Volatile mount". */
export const VOLATILE_MARK = 'work/incompat/volatile';

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR_RDONLY = 1;
const EINVAL = 22;
const ENOSYS = 38;
/** Most bytes fsconfig(2) takes as one string, without the NUL. */
const FSCONFIG_VALUE_BYTES = 255;
/** Most bytes mount(2) takes as options: a page, with the NUL. */
const MOUNT_DATA_BYTES = 4095;

const fsopen = bindSyscall<(type: string, flags: number) => number>(430, ['const char *', 'uint']);
const fsconfig = bindSyscall<(fd: number, command: number, key: string | null, value: string | null, aux: number) => number>(431, [
  'int',
  'uint',
  'const char *',
  'const char *',
  'int',
]);
const fsmount = bindSyscall<(fd: number, flags: number, attributes: number) => number>(432, ['int', 'uint', 'uint']);
const read = bind<(fd: number, buffer: Buffer, length: number) => number>('long read(int fd, void *buf, size_t count)');

let appendsLowers: boolean | undefined;
let knowsVolatile = true;

/**
 * Mounts an overlay, of any number of layers with paths of any length. From Linux 6.7 on the mount API takes a `lowerdir+` for
 * each. Before, as in Debian 12, mount(2) has one page for all options; where they would not fit, directories are named as /proc/self/fd/N.
 * overlayfs refuses one lower directory without an upper one: give that directory twice, or bind it instead.
 * @throws the system error, with the kernel's words where it gives some.
 */
export function mountOverlay(options: OverlayOptions): void {
  if (options.lower.length === 0) throw new DaemonError('Internal', `mount overlay ${options.target}: no lower directory, must have one`);
  if (options.volatile !== true || !knowsVolatile) {
    mountAs(options);
    return;
  }
  try {
    mountAs({ ...options, options: [...(options.options ?? []), 'volatile'] });
  } catch (error) {
    if (!hasErrno(error, 'EINVAL')) throw error;
    // EINVAL has many reasons. Volatile was the reason only where it works without.
    mountAs(options);
    knowsVolatile = false;
  }
}

function mountAs(options: OverlayOptions): void {
  if (appendsLowers === false) {
    mountClassic(options);
    return;
  }
  try {
    if (!tryMountApi(options)) mountClassic(options);
  } catch (error) {
    if (appendsLowers !== undefined || !hasErrno(error, 'EINVAL')) throw error;
    mountUnlessNeither(options, error);
  }
}

/** Before 6.5 overlayfs says EINVAL at the end alone, as for a bad path, and gives no words: `lowerdir+` was the reason where mount(2) works. */
function mountUnlessNeither(options: OverlayOptions, ofMountApi: unknown): void {
  try {
    mountClassic(options);
  } catch (error) {
    throw hasErrno(error, 'EINVAL') ? ofMountApi : error;
  }
  appendsLowers = false;
}

/** @returns false when this kernel has no `lowerdir+`. */
function tryMountApi(options: OverlayOptions): boolean {
  const fs = fsopen('overlay', FSOPEN_CLOEXEC);
  if (fs === -1) {
    if (lastErrno() !== ENOSYS) throw errnoError('fsopen overlay', options.target);
    appendsLowers = false;
    return false;
  }
  const opened: number[] = [];
  try {
    for (const [index, lower] of options.lower.entries()) {
      const set = fsconfig(fs, FSCONFIG_SET_STRING, 'lowerdir+', shortName(lower, opened), 0);
      if (set === -1 && index === 0 && lastErrno() === EINVAL && appendsLowers === undefined && !knowsAppend(fs)) {
        appendsLowers = false;
        return false;
      }
      if (set === -1) throw explain(fs, 'lowerdir', lower);
    }
    setString(fs, 'source', 'overlay');
    if (options.upper !== undefined) setString(fs, 'upperdir', shortName(options.upper, opened));
    if (options.work !== undefined) setString(fs, 'workdir', shortName(options.work, opened));
    for (const option of options.options ?? []) setOption(fs, option);
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, null, null, 0) === -1) throw explain(fs, 'mount overlay', options.target);
    appendsLowers = true;
    const made = check(fsmount(fs, FSMOUNT_CLOEXEC, options.readOnly === true ? MOUNT_ATTR_RDONLY : 0), 'fsmount overlay', options.target);
    opened.push(made);
    attachTree(made, options.target);
    return true;
  } finally {
    close(fs);
    opened.forEach(close);
  }
}

/**
 * A path as fsconfig takes it: itself, or through a descriptor, which is added to `opened`. The descriptor is for a path that
 * is too long, or has a backslash: overlayfs reads that as an escape in some options and not in others.
 */
function shortName(path: string, opened: number[]): string {
  const fits = Buffer.byteLength(path) <= FSCONFIG_VALUE_BYTES && !path.includes('\\');
  return fits ? path : byDescriptor(path, opened);
}

function byDescriptor(path: string, opened: number[]): string {
  const fd = open(path, O_PATH | O_DIRECTORY);
  opened.push(fd);
  return `/proc/self/fd/${fd}`;
}

function setString(fs: number, key: string, value: string): void {
  if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) === -1) throw explain(fs, `overlay option ${key}`, value);
}

function setOption(fs: number, option: string): void {
  const equals = option.indexOf('=');
  if (equals !== -1) setString(fs, option.slice(0, equals), option.slice(equals + 1));
  else if (fsconfig(fs, FSCONFIG_SET_FLAG, option, null, 0) === -1) throw explain(fs, 'overlay option', option);
}

/** An unknown parameter is told from a bad path by the kernel's own words. */
function knowsAppend(fs: number): boolean {
  return !kernelWords(fs).some((line) => line.includes('Unknown parameter'));
}

function explain(fs: number, what: string, path: string): Error {
  const error = errnoError(what, path);
  const words = kernelWords(fs);
  if (words.length > 0) error.message += `: ${words.join('; ')}`;
  return error;
}

/** What the kernel wrote about this mount: lines "e text", read one a time from the fsopen descriptor. */
function kernelWords(fs: number): string[] {
  const words: string[] = [];
  const buffer = Buffer.alloc(512);
  for (let count = read(fs, buffer, buffer.length); count > 0; count = read(fs, buffer, buffer.length)) {
    words.push(buffer.toString('utf8', 2, count).trim());
  }
  return words;
}

/** The way of a kernel without `lowerdir+`: mount(2). */
export function mountClassic(options: OverlayOptions): void {
  const plain = classicOptions(options, escapePath);
  const mountWith = (data: string): void => {
    mount('overlay', options.target, { type: 'overlay', flags: options.readOnly === true ? MS_RDONLY : 0, data });
  };
  if (Buffer.byteLength(plain) <= MOUNT_DATA_BYTES) {
    mountWith(plain);
    return;
  }
  const opened: number[] = [];
  try {
    const short = classicOptions(options, (path) => byDescriptor(path, opened));
    if (short.length > MOUNT_DATA_BYTES) {
      throw new DaemonError(
        'FailedPrecondition',
        `mount overlay ${options.target}: ${options.lower.length} layers are more than this kernel takes`,
      );
    }
    mountWith(short);
  } finally {
    opened.forEach(close);
  }
}

function classicOptions(options: OverlayOptions, name: (path: string) => string): string {
  const parts = [`lowerdir=${options.lower.map(name).join(':')}`];
  if (options.upper !== undefined) parts.push(`upperdir=${name(options.upper)}`);
  if (options.work !== undefined) parts.push(`workdir=${name(options.work)}`);
  return [...parts, ...(options.options ?? []).map(quoteContext)].join(',');
}

/** The label of SELinux in `context=` has commas itself; mount(8) says to quote it. */
function quoteContext(option: string): string {
  return option.startsWith('context=') ? `context="${option.slice('context='.length)}"` : option;
}

/** Colons separate layers and commas options; a backslash takes their meaning away. */
function escapePath(path: string): string {
  return path.replaceAll(/[\\:,]/g, (c) => `\\${c}`);
}
