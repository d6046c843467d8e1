import { isEmpty, textOf } from './rule.ts';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../base/errors.ts';
import { findProgram, programDirs } from '../config/resolve.ts';
import { CRIO_BUILT_IN, CRIO_KEYS } from './crio-keys.ts';
import type { Peer } from './migrate.ts';
import { PeerTree, readPeerFile } from './peer-tree.ts';
import type { Setting } from './peer-tree.ts';

export const CRIO_FILE = '/etc/crio/crio.conf';
export const CRIO_DIRECTORY = '/etc/crio/crio.conf.d';

const CRUN = 'crun';
const HANDLERS = ['crio', 'runtime', 'runtimes'];
/** Entries of these are replaced as a whole by a later file's: its TOML library makes each anew. */
const REPLACED = [HANDLERS, ['crio', 'runtime', 'workloads']];

/**
 * CRI-O's configuration: the file, then all files of the directory and those below it, in the order of their names; the later wins.
 * @param directory undefined: none
 * @param isRequired whether the file must be there
 * @param programDirectories where CRI-O finds crun, which is then a handler of it that no file need name
 * @throws {DaemonError} InvalidArgument that names the file that is wrong
 */
export async function readCrio(
  file: string,
  directory: string | undefined,
  isRequired: boolean,
  programDirectories: readonly string[] = programDirs(),
): Promise<Peer> {
  const dropIns = directory === undefined ? [] : await filesBelow(directory);
  const paths = [...(isRequired || (await isThere(file)) ? [file] : []), ...dropIns];
  const tree = new PeerTree();
  for (const path of paths) {
    const { settings } = await readPeerFile(path);
    tree.lay(settings, (table) =>
      REPLACED.some((above) => table.length === above.length + 1 && above.every((part, index) => table[index] === part)),
    );
  }
  return crio(tree, paths, (await findProgram(CRUN, programDirectories)) !== CRUN);
}

function crio(tree: PeerTree, files: readonly string[], hasCrun: boolean): Peer {
  const named = tree.at(['crio', 'runtime', 'default_runtime'])?.value;
  const chosen = isEmpty(named) ? CRUN : textOf(named ?? '');
  // crun is built in, where it is on the node; of others there must be a table.
  if ((chosen === CRUN || hasCrun) && !tree.namesIn(HANDLERS).includes(CRUN))
    tree.lay([{ path: [...HANDLERS, CRUN, 'runtime_path'], value: '', file: 'built into CRI-O' }]);
  for (const name of tree.namesIn(HANDLERS)) tree.lay(inherited(tree, name, chosen));
  return {
    name: 'CRI-O',
    tree,
    files,
    rules: CRIO_KEYS,
    builtIn: CRIO_BUILT_IN,
    handlersAt: HANDLERS,
    refusal: (name) =>
      tree.at([...HANDLERS, name, 'runtime_type'])?.value === 'vm'
        ? `handler ${name}: its runtime_type is "vm", must be an OCI runtime: shims of virtual machines are not supported`
        : undefined,
  };
}

/** What a handler takes from the default runtime. */
function inherited(tree: PeerTree, name: string, chosen: string): Setting[] {
  if (tree.at([...HANDLERS, name, 'inherit_default_runtime'])?.value !== true || name === chosen) return [];
  return ['runtime_path', 'runtime_type'].flatMap((key) => {
    const setting = tree.at([...HANDLERS, chosen, key]);
    if (setting !== undefined && setting.value !== '') return { ...setting, path: [...HANDLERS, name, key] };
    return key === 'runtime_path' ? { path: [...HANDLERS, name, key], value: chosen, file: 'built into CRI-O' } : [];
  });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: unknown) => !hasErrno(error, 'ENOENT'),
  );
}

async function filesBelow(directory: string): Promise<string[]> {
  let found;
  try {
    found = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
  const files: string[] = [];
  // Go's filepath.Walk: by bytes.
  for (const entry of found.sort((one, other) => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBelow(path)));
    else files.push(path);
  }
  return files;
}
