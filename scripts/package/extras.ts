/** What is installed beside the program: its files for the node, and what is written for people. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copy, ensureDir, outputFile } from 'fs-extra/esm';
import { defaultSettings } from '../../src/config/overlay.ts';
import { printToml } from '../../src/config/print.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

/** A node of its own wants names in the kubelet's metrics, without anybody having to ask for them. */
export function packagedConfiguration(): string {
  const settings = defaultSettings();
  return printToml({ ...settings, cadvisor: { ...settings.cadvisor, crioCompat: true } });
}

/** Where what of deploy/ is installed, from the root of the file system. */
const INSTALLED: Readonly<Record<string, string>> = {
  'podwright.service': 'usr/lib/systemd/system/podwright.service',
  'modules-load.conf': 'usr/lib/modules-load.d/podwright.conf',
  'sysctl.conf': 'usr/lib/sysctl.d/50-podwright.conf',
  'crictl.yaml': 'usr/share/podwright/crictl.yaml',
  '10-podwright-bridge.conflist': 'usr/share/podwright/10-podwright-bridge.conflist',
  kubernetes: 'usr/share/podwright/kubernetes',
  prometheus: 'usr/share/podwright/prometheus',
  grafana: 'usr/share/podwright/grafana',
  selinux: 'usr/share/podwright/selinux',
};

/** Lays everything but the program into a tree that stands for the root of a file system. */
export async function layExtras(tree: string): Promise<void> {
  for (const [name, path] of Object.entries(INSTALLED)) {
    await ensureDir(dirname(join(tree, path)));
    await copy(join(REPOSITORY, 'deploy', name), join(tree, path));
  }
  await outputFile(join(tree, 'etc/podwright/podwright.toml'), packagedConfiguration());
  await ensureDir(join(tree, 'etc/cni/net.d')); // where pods' networks go, ours or another's
  const documents = join(tree, 'usr/share/doc/podwright');
  await ensureDir(documents);
  for (const name of ['README.md', 'CHANGELOG.md', 'SECURITY.md']) await copyFile(join(REPOSITORY, name), join(documents, name));
  await copy(join(REPOSITORY, 'docs'), join(documents, 'docs'), { filter: (path) => !path.includes('/docs/decisions') });
  const licence = await readFile(join(REPOSITORY, 'LICENSE'), 'utf8');
  await writeFile(join(documents, 'LICENSE'), licence);
}
