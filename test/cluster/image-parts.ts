/** What images of a cluster are made of: this machine's programs with their libraries. */
import { readFile } from 'node:fs/promises';
import { busyboxLayer, librariesOf, makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';
import { findProgram } from '../support/find-program.ts';

export const file = (path: string, data: string | Uint8Array, mode = 0o644): TarEntry => ({ path, kind: 'file', data, mode });
export const directory = (path: string, mode = 0o755): TarEntry => ({ path, kind: 'directory', mode });

/**
 * Programs of this machine with their libraries; later ones take the place of busybox's.
 * @param names "nc=nc.openbsd" is nc.openbsd under the name nc
 */
export async function programsLayer(names: readonly string[], extra: readonly TarEntry[] = []): Promise<ImageLayer> {
  const entries = new Map<string, TarEntry>();
  for (const both of names) {
    const [name = '', source = name] = both.split('=');
    const path = await findProgram(source);
    if (path === undefined) throw new Error(`cluster images: ${source} is not in PATH (scripts/install-deps.sh cluster installs it)`);
    // Where /bin is a link to /usr/bin there is one of each, and the image has both directories.
    entries.set(`bin/${name}`, file(`bin/${name}`, await readFile(path), 0o755));
    for (const library of await librariesOf(path)) entries.set(library.slice(1), file(library.slice(1), await readFile(library), 0o755));
  }
  return makeLayer([...entries.values(), ...extra]);
}

/** The user and the group of the image are what the specs of supplemental groups look for. */
const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
user-defined-in-image:x:1000:1000::/home/app:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
user-defined-in-image:x:1000:
group-defined-in-image:x:50000:user-defined-in-image
nogroup:x:65534:
`;

/**
 * Debian's busybox, with GNU wget for its own, which crashes. Its sh drops variables such as `data-1`, which specs look for, and
 * bash, which keeps them, words its errors otherwise than specs want: so bash is the shell where there is such a variable.
 */
export async function baseLayers(): Promise<readonly ImageLayer[]> {
  const users = [file('etc/passwd', PASSWD), file('etc/group', GROUP), file('etc/nsswitch.conf', 'hosts: files dns\n')];
  const rest = [...users, directory('usr/sbin'), directory('usr/local/bin')];
  return [await busyboxLayer(), await programsLayer(['bash', 'wget'], [file('bin/sh', SH, 0o755), ...rest])];
}

const SH = `#!/bin/bash
while IFS= read -r -d '' pair; do
  case \${pair%%=*} in *[!A-Za-z0-9_]*) exec -a "$0" /bin/bash "$@" ;; esac
done </proc/self/environ
exec -a "$0" /bin/busybox "$@"
`;
