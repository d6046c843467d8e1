import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError } from '../base/errors.ts';
import { mountOverlay, unmount, unmountAllBelow } from './mounts.ts';
import { LAYERS, pinNamespaces, unpinNamespaces } from './namespaces.ts';

const LENGTH = 65_536;
const HOST_ID = 100_000;

/**
 * Makes a user namespace and mounts an overlay for it, as a container gets one, in a directory of ours on the file system in question;
 * all of it is gone afterwards, and what a crash left of the last time too. @throws the error of the step that does not work here.
 */
export async function tryIdMappedOverlay(directory: string): Promise<void> {
  const at = (name: string): string => join(directory, name);
  await unmountAllBelow(directory);
  await rm(directory, { recursive: true, force: true });
  try {
    for (const name of ['tree/one', 'tree/two', 'upper', 'work', 'target']) await mkdir(at(name), { recursive: true, mode: 0o700 });
    await writeFile(at('tree/one/file'), '');
    const ids = { containerId: 0, hostId: HOST_ID, length: LENGTH };
    const user = { uids: ids, gids: ids };
    pinNamespaces(at('ns'), { net: false, ipc: false, uts: false, loopback: false, user, layers: at('tree') });
    const lower = ['one', 'two'].map((name) => join(at('ns'), LAYERS, name));
    mountOverlay({ lower, upper: at('upper'), work: at('work'), target: at('target') });
    const { uid } = await stat(at('target/file'));
    if (uid !== HOST_ID) throw new DaemonError('Internal', `a file of user 0 shows as one of user ${uid}, must show as ${HOST_ID}`);
  } finally {
    unmount(at('target'));
    unpinNamespaces(at('ns'));
    await rm(directory, { recursive: true, force: true });
  }
}
