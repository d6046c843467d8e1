import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, hasErrno, messageOf } from '../base/errors.ts';
import type { TlsPaths } from './tls-files.ts';

/** The directories in a directory, links to some among them; none where it is missing. @throws InvalidArgument that names it. */
export async function directoriesIn(path: string): Promise<string[]> {
  const names = await namesIn(path);
  const isDirectory = await Promise.all(
    names.map(async (name) =>
      stat(join(path, name)).then(
        (stats) => stats.isDirectory(),
        () => false,
      ),
    ),
  );
  return names.filter((_, index) => isDirectory[index]);
}

/**
 * What a directory for one registry says by its files, as docker has them: `*.crt` are authorities, `NAME.cert` and `NAME.key` are a
 * client's. @throws InvalidArgument where one of a pair is missing; with `mayHaveBoth`, as containerd has it, a certificate may have
 * its key in its own file.
 */
export async function certificatesIn(directory: string, mayHaveBoth: boolean): Promise<TlsPaths> {
  const names = await namesIn(directory);
  const of = (ending: string): string[] => names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
  const [certificates, keys] = [of('.cert'), of('.key')];
  const path = (name: string): string => join(directory, name);
  const alone = certificates.find((name) => !keys.includes(name));
  if (alone !== undefined && !mayHaveBoth)
    fail('InvalidArgument', `read ${path(`${alone}.cert`)}: its key ${alone}.key is missing; authorities end in .crt`);
  const lost = keys.find((name) => !certificates.includes(name));
  if (lost !== undefined && !mayHaveBoth) fail('InvalidArgument', `read ${path(`${lost}.key`)}: its certificate ${lost}.cert is missing`);
  return {
    authorities: of('.crt').map((name) => path(`${name}.crt`)),
    clients: certificates.map((name) => [path(`${name}.cert`), keys.includes(name) ? path(`${name}.key`) : '']),
  };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    return fail('InvalidArgument', `read ${directory}: ${messageOf(error)}`);
  }
}
