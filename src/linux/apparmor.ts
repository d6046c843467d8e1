import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { run } from './spawn.ts';

/** AppArmor's files, below securityfs. */
const APPARMORFS = '/sys/kernel/security/apparmor';
const PARSER = 'apparmor_parser';
/** Where the parser looks for what a profile names by <...>. */
const POLICY_DIRECTORY = '/etc/apparmor.d';

/** Whether the kernel confines by AppArmor, and we can see its policy. runc and crun ask the same. */
export async function isApparmorOn(): Promise<boolean> {
  const enabled = await unlessMissing(readFile('/sys/module/apparmor/parameters/enabled', 'utf8'), 'N');
  return enabled.startsWith('Y') && (await isThere(APPARMORFS));
}

/** The names of the profiles that the kernel has, in any mode. */
export async function loadedApparmorProfiles(): Promise<ReadonlySet<string>> {
  return parseApparmorProfiles(await readFile(join(APPARMORFS, 'profiles'), 'utf8'));
}

/** Lines as `podwright-default (enforce)`; a name may have blanks and brackets itself. */
export function parseApparmorProfiles(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').flatMap((line) => /^(.+) \([a-z]+\)$/.exec(line)?.[1] ?? []));
}

/** The profile that confines a process, without its mode; `unconfined` where none does. */
export async function apparmorProfileOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/attr/current`, 'utf8')).trim().replace(/ \([a-z]+\)$/, '');
}

/** The kernel's digest of a loaded profile's compiled form; undefined where it has no such profile, or keeps no digests. */
export async function apparmorProfileDigest(name: string): Promise<string | undefined> {
  const directory = join(APPARMORFS, 'policy/profiles');
  // An entry is the name and a number, which counts all profiles that were ever loaded.
  const entries = await unlessMissing(readdir(directory), []);
  const entry = entries.find((each) => each.startsWith(`${name}.`) && /^\d+$/.test(each.slice(name.length + 1)));
  if (entry === undefined) return undefined;
  for (const file of ['sha256', 'sha1']) {
    const digest = (await unlessMissing(readFile(join(directory, entry, file), 'utf8'), '')).trim();
    if (digest !== '') return digest;
  }
  return undefined;
}

/** Whether the parser has a file for this <...>, such as `abi/3.0`. */
export async function hasApparmorFile(name: string): Promise<boolean> {
  return isThere(join(POLICY_DIRECTORY, name));
}

/**
 * Compiles a profile and puts it into the kernel, in the place of a loaded one of its name: what runs under that is confined by the
 * new one at once. @throws {DaemonError} FailedPrecondition where the parser is not there, Internal with its words where it fails.
 */
export async function loadApparmorProfile(text: string, env: Readonly<Record<string, string>>, timeoutMs: number): Promise<void> {
  try {
    const { exit, stderr } = await run(PARSER, { args: ['--replace', '--skip-cache'], input: text, env, timeoutMs });
    if (exit.code === 0) return;
    const words = stderr.toString().trim().replaceAll('\n', '; ').slice(0, 500);
    throw new DaemonError(
      'Internal',
      `${PARSER} cannot load it (${exit.code === undefined ? `signal ${exit.signal}` : `exit ${exit.code}`}): ${words}`,
    );
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES')) throw error;
    throw new DaemonError('FailedPrecondition', `${PARSER} is not in PATH, must be installed`, { cause: error });
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
