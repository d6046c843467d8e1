import { readFile, writeFile } from 'node:fs/promises';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { bind, errnoError } from './libc.ts';
import { PLAIN_ENVIRONMENT, run } from './spawn.ts';

const SELINUXFS = '/sys/fs/selinux';
const CONFIG_DIRECTORY = '/etc/selinux';
/** Ends sooner where its caller does. Millions of files take minutes. */
const RELABEL_TIMEOUT_MS = 60 * 60_000;

/** What the policy has for containers, lxc_contexts(5). */
interface SelinuxContexts {
  readonly process: string;
  readonly file: string;
}

/** As container-selinux and the reference policy name them. */
const USUAL: SelinuxContexts = { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' };

/** Whether the kernel has a policy of SELinux loaded, enforcing or not. runc and crun ask for the same. */
export async function isSelinuxOn(): Promise<boolean> {
  return (await unlessMissing(readFile(`${SELINUXFS}/enforce`, 'utf8'), undefined)) !== undefined;
}

/** The labels of containers in the policy of this node; the usual ones where it does not say. */
export async function selinuxContexts(): Promise<SelinuxContexts> {
  const config = await unlessMissing(readFile(`${CONFIG_DIRECTORY}/config`, 'utf8'), '');
  const policy = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(config)?.[1] ?? 'targeted';
  return parseContexts(await unlessMissing(readFile(`${CONFIG_DIRECTORY}/${policy}/contexts/lxc_contexts`, 'utf8'), ''));
}

/** Lines as `process = "system_u:system_r:container_t:s0"`. */
export function parseContexts(text: string): SelinuxContexts {
  const named = (name: string): string | undefined => new RegExp(`^\\s*${name}\\s*=\\s*"?([^"\\s]+)"?`, 'm').exec(text)?.[1];
  return { process: named('process') ?? USUAL.process, file: named('file') ?? USUAL.file };
}

/** Whether the loaded policy has such a label. */
export async function isSelinuxLabel(label: string): Promise<boolean> {
  try {
    await writeFile(`${SELINUXFS}/context`, label, { flag: 'r+' });
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'ENAMETOOLONG', 'ERANGE')) return false;
    throw error;
  }
}

const lsetxattr = bind<(path: string, name: string, value: Buffer, size: number, flags: number) => number>(
  'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
);

/** Labels one file of ours. @throws the system error. */
export function labelFile(path: string, label: string): void {
  const value = Buffer.from(`${label}\0`);
  if (lsetxattr(path, 'security.selinux', value, value.length, 0) === -1) throw errnoError('label', path);
}

/**
 * Labels a directory with all that is in it, or a file. It is done by chcon in a process of its own: the tree may be large, and may
 * lie on a file system that hangs. Links are not followed, and what has the label already is not written. A file system without
 * labels is left as it is.
 * @throws Internal with the words of chcon, or the reason of the signal.
 */
export async function labelTree(path: string, label: string, signal: AbortSignal): Promise<void> {
  const args = ['-R', '-P', '-h', label, '--', path];
  const { exit, stderr } = await run('chcon', { args, env: PLAIN_ENVIRONMENT, timeoutMs: RELABEL_TIMEOUT_MS, signal });
  if (exit.code === 0) return;
  const words = refusalsOf(stderr.toString());
  if (words.length > 0) throw new DaemonError('Internal', `label ${path}: ${words.slice(0, 3).join('; ').slice(0, 500)}`);
}

/** What of chcon's words is a failure: a file may go while it is on its way to it, or be one that has no labels. */
export function refusalsOf(stderr: string): string[] {
  const lines = stderr.split('\n').filter((line) => line !== '');
  if (lines.length === 0) return ['chcon failed and said nothing'];
  return lines.filter((line) => !/: (Operation not supported|No such file or directory)$/.test(line));
}

/** The label of a file; undefined where it has none. It is found in a process of its own, as that of a volume. */
export async function labelOf(path: string, signal: AbortSignal): Promise<string | undefined> {
  const { exit, stdout } = await run('stat', { args: ['--format=%C', '--', path], env: PLAIN_ENVIRONMENT, timeoutMs: 30_000, signal });
  const label = stdout.toString().trim();
  return exit.code === 0 && label !== '?' && label !== '' ? label : undefined;
}
