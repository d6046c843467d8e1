/** The Debian package: Debian Policy, deb-control(5), dpkg-deb(1). */
import { createHash } from 'node:crypto';
import { chmod, copyFile, readdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { copy, ensureDir, outputFile, remove } from 'fs-extra/esm';
import { layExtras } from './extras.ts';
import { compress, layManual } from './manual.ts';
import type { Made, Making, Release } from './release.ts';
import { settle } from './settle.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

/** What a postrm finds of its package is gone: it knows unchanged copies of these by their digests. */
const KNOWN_COPIES: Readonly<Record<string, string>> = {
  '@CRICTL_SHA256@': 'usr/share/podwright/crictl.yaml',
  '@BRIDGE_SHA256@': 'usr/share/podwright/10-podwright-bridge.conflist',
};

const CONFFILES = ['/etc/podwright/podwright.toml'];

/**
 * What the program is linked to, with the oldest versions that it runs on (readelf -V), and what it starts. iptables or nftables is what the
 * CNI plugins write their rules with.
 */
const DEPENDS = [
  'libc6 (>= 2.34)', 'libgcc-s1', 'libstdc++6 (>= 6)', 'runc (>= 1.1) | crun (>= 1.8)', 'conmon (>= 2.1)',
  'containernetworking-plugins (>= 1.1)', 'iptables | nftables',
]; // prettier-ignore
/** systemd: the unit, and the cgroups of a node that has it. kmod: modprobe. */
const RECOMMENDS = ['ca-certificates', 'kmod', 'procps', 'systemd'];
/** Loads the profile of containers where AppArmor is on; checkpoints; signatures by OpenPGP keys. */
const SUGGESTS = ['apparmor', 'criu', 'gpgv'];

const DESCRIPTION = `container runtime for Kubernetes
 One daemon per node that serves the Container Runtime Interface to the
 kubelet, pulls images, sets up pods, and runs containers that go on when
 the daemon is stopped, killed or upgraded.
 .
 The package has the Node that it runs on. An installation starts nothing:
 /usr/share/doc/podwright/docs/install.md says how to go on.`;

/** With one thread, whose result does not depend on how many processors there are. */
const XZ = ['-Zxz', '-z9'];
const DPKG_COMPRESSION = { xz: XZ, zstd: ['-Zzstd', '-z3'], none: ['-Znone'] } as const;

/** @throws with the words of dpkg-deb, where that fails. */
export async function makeDeb({ release, program, work, out }: Making): Promise<Made> {
  await remove(work);
  const lib = join(work, 'usr/lib');
  await ensureDir(lib);
  // The same files under another name: half of the time goes by in writing Node.
  await execa('cp', ['-al', program, join(lib, 'podwright')]);
  await ensureDir(join(work, 'usr/bin'));
  await symlink('../lib/podwright/bin/podwright', join(work, 'usr/bin/podwright'));
  await layExtras(work);
  await layManual(program, work);
  await writePapers(join(work, 'usr/share/doc/podwright'), release);
  await copy(join(REPOSITORY, 'deploy/debian/lintian-overrides'), join(work, 'usr/share/lintian/overrides/podwright'));
  const installedBytes = await settle(work, release.time);
  await writeControl(work, release, installedBytes);
  await settle(join(work, 'DEBIAN'), release.time);
  const file = join(out, `podwright_${release.version}_${release.architecture}.deb`);
  const environment = { SOURCE_DATE_EPOCH: String(release.time) };
  const compression = DPKG_COMPRESSION[release.compression];
  await execa('dpkg-deb', ['--root-owner-group', '--threads-max=1', ...compression, '--build', work, file], { env: environment });
  return { file, installedBytes };
}

function maintainer(): string {
  const { DEBFULLNAME = 'Podwright maintainers', DEBEMAIL = 'maintainers@podwright.invalid' } = process.env;
  return `${DEBFULLNAME} <${DEBEMAIL}>`;
}

/** What Debian wants to be in a package's directory of documents. */
async function writePapers(directory: string, { version, time }: Release): Promise<void> {
  const date = new Date(time * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `podwright (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz beside this file.\n\n -- ${maintainer()}  ${date}\n`;
  await writeFile(join(directory, 'changelog'), entry);
  for (const name of ['changelog', 'CHANGELOG.md']) await compress(join(directory, name));
  await unlink(join(directory, 'LICENSE')); // Debian has it, see below
  await copyFile(join(REPOSITORY, 'deploy/debian/copyright'), join(directory, 'copyright'));
}

async function writeControl(tree: string, { version, architecture }: Release, installedBytes: number): Promise<void> {
  const control = [
    'Package: podwright',
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${maintainer()}`,
    `Installed-Size: ${Math.ceil(installedBytes / 1024)}`,
    `Depends: ${DEPENDS.join(', ')}`,
    `Recommends: ${RECOMMENDS.join(', ')}`,
    `Suggests: ${SUGGESTS.join(', ')}`,
    'Section: admin',
    'Priority: optional',
    `Description: ${DESCRIPTION}`,
  ];
  const directory = join(tree, 'DEBIAN');
  const files = await filesBelow(tree);
  await outputFile(join(directory, 'control'), `${control.join('\n')}\n`);
  await writeFile(join(directory, 'conffiles'), `${CONFFILES.join('\n')}\n`);
  const sums = files
    .filter((file) => !CONFFILES.includes(`/${file}`))
    .map(async (file) => `${await digestOf('md5', join(tree, file))}  ${file}\n`);
  await writeFile(join(directory, 'md5sums'), (await Promise.all(sums)).join(''));
  for (const name of ['postinst', 'prerm', 'postrm']) await writeScript(tree, name, version);
}

async function writeScript(tree: string, name: string, version: string): Promise<void> {
  let text = (await readFile(join(REPOSITORY, 'deploy/debian', name), 'utf8')).replaceAll('@VERSION@', version);
  for (const [mark, path] of Object.entries(KNOWN_COPIES)) text = text.replaceAll(mark, await digestOf('sha256', join(tree, path)));
  const file = join(tree, 'DEBIAN', name);
  await writeFile(file, text);
  await chmod(file, 0o755);
}

async function digestOf(algorithm: string, file: string): Promise<string> {
  return createHash(algorithm).update(await readFile(file)).digest('hex'); // prettier-ignore
}

/** All regular files, from the tree's root, sorted. */
async function filesBelow(tree: string): Promise<string[]> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(tree, join(entry.parentPath, entry.name))).sort(); // prettier-ignore
}
