/**
 * A CNI set-up of a test's own: a bridge with a random name, host-local's addresses in a directory of the test, network
 * namespaces, and plugins that fail on demand (test/fixtures/cni/plugin).
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove, writeJson } from 'fs-extra/esm';
import { pinNamespaces, unpinNamespaces } from '../../src/linux/namespaces.ts';
import type { TestDaemon } from './daemon.ts';

/** Where the real plugins are: Debian's package, or what CNI_PLUGIN_DIR names. */
export const REAL_PLUGINS = process.env['CNI_PLUGIN_DIR'] ?? '/usr/lib/cni';

const FIXTURE = join(import.meta.dirname, '../fixtures/cni/plugin');

/** What a fixture plugin can do; each is a case in test/fixtures/cni/plugin. */
export type Behaviour =
  | 'fails'
  | 'fails-once'
  | 'fails-plainly'
  | 'fails-silently'
  | 'hangs'
  | 'answers-garbage'
  | 'answers-too-much'
  | 'answers-nothing'
  | 'answers-a-list'
  | 'answers-no-address'
  | 'crashes'
  | 'leaves-a-child'
  | 'writes-what-it-gets'
  | 'is-old'
  | 'dawdles'
  | 'draws-lots'
  | 'passes';

/** Puts a fixture plugin into `binDir`, or changes what it does. `at`: the commands, e.g. `['ADD', 'DEL']`. */
export async function installPlugin(binDir: string, name: string, does: Behaviour, at: readonly string[] = ['ADD']): Promise<void> {
  await writeFile(join(binDir, `${name}.does`), `${does}\n`);
  await writeFile(join(binDir, `${name}.at`), `${at.join(' ')}\n`);
  await copyFile(FIXTURE, join(binDir, name));
}

/** Chains a fixture plugin, `faulty`, behind bridge and portmap: its DEL is the first, and while it fails the others' do not run. */
export async function useFaultyPlugin(daemon: TestDaemon, does: Behaviour, at: readonly string[]): Promise<void> {
  await installPlugin(daemon.cniBinDir, 'faulty', does, at);
  await daemon.useCniPlugins([...daemon.bridgePlugins(), { type: 'faulty' }]);
}

/**
 * Makes a bridge as one that has had a pod, whose MAC is set for good. To be called where a daemon or a plugin is killed in the network's
 * first ADD and the next one must succeed at once. The bridge plugin (1.1.1 and 1.9.1: ensureBridge, ensureAddr) reads the MAC before its
 * veth hangs on the bridge and sets it after: where an ADD was ended in between and undone, the bridge has the MAC zero, and the next ADD
 * fails, once, with "could not set bridge's mac: invalid argument". A kubelet tries again.
 */
export async function settleBridge({ bridge }: { readonly bridge: string }): Promise<void> {
  const mac = ['02', ...randomBytes(5).toString('hex').match(/../g)!].join(':');
  await execa('ip', ['link', 'add', bridge, 'address', mac, 'type', 'bridge']);
}

/** Has the daemon use a network, with no pod so far, whose ADD and DEL take one and a half seconds longer. */
export async function useSlowBridge(daemon: TestDaemon): Promise<void> {
  await settleBridge(daemon);
  await installPlugin(daemon.cniBinDir, 'slow', 'dawdles', ['ADD', 'DEL']);
  await symlink(join(REAL_PLUGINS, 'bridge'), join(daemon.cniBinDir, 'bridge'));
  const [bridge, ...others] = daemon.bridgePlugins();
  await daemon.useCniPlugins([{ ...bridge, type: 'slow' }, ...others]);
}

/** How often a fixture plugin has been run for `command` in `binDir`. */
export async function callsOf(binDir: string, name: string, command: 'ADD' | 'DEL'): Promise<number> {
  const text = await readFile(join(binDir, `${name}.calls`), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.startsWith(command)).length;
}

/** What each ADD and each DEL of a plugin that draws lots does, one after the other; then it passes. */
export async function writeLots(binDir: string, name: string, lots: Readonly<Record<'ADD' | 'DEL', readonly Behaviour[]>>): Promise<void> {
  for (const [command, list] of Object.entries(lots))
    await writeFile(join(binDir, `${name}.lots.${command}`), list.map((does) => `${does}\n`).join(''));
}

/** The spec versions that a real plugin supports. */
export async function realVersions(plugin: string): Promise<string[]> {
  const options = { env: { CNI_COMMAND: 'VERSION' }, extendEnv: false, input: '{"cniVersion": "1.0.0"}' };
  const { stdout } = await execa(join(REAL_PLUGINS, plugin), options);
  const { supportedVersions } = JSON.parse(stdout) as { supportedVersions: string[] };
  return supportedVersions;
}

/** A CNI set-up in a temporary directory. */
export interface CniLab {
  readonly dir: string;
  readonly confDir: string;
  /** Has the real plugins as links; fixture plugins go here, too. */
  readonly binDir: string;
  readonly cacheDir: string;
  /** host-local's directory: a file per address below `<network>/`. */
  readonly dataDir: string;
  readonly network: string;
  readonly bridge: string;
  /** A bridge plugin's entry: isGateway, ipMasq, host-local with IPv4 and IPv6. */
  readonly bridgePlugin: Readonly<Record<string, unknown>>;
  /** Writes `confDir/10-test.conflist`; without plugins: bridge and portmap. */
  configure(plugins?: readonly object[], more?: object): Promise<void>;
  /** A pinned network namespace with `lo` up; its path. */
  namespace(name: string): string;
  removeNamespace(name: string): void;
  /** What is left of attachments, in words: addresses, veths, firewall rules. Empty where nothing is. */
  leftovers(): Promise<string[]>;
  /** Removes the bridge, the namespaces and the directory. */
  remove(): Promise<void>;
}

export async function makeCniLab(): Promise<CniLab> {
  const id = randomBytes(2).toString('hex');
  const [high, low] = [...randomBytes(2)];
  const dir = await mkdtemp(join(tmpdir(), 'podwright-cni-'));
  const network = `cni-t-${id}`;
  const lab = {
    dir,
    confDir: join(dir, 'net.d'),
    binDir: join(dir, 'bin'),
    cacheDir: join(dir, 'cache'),
    dataDir: join(dir, 'addresses'),
    network,
    bridge: network,
  };
  await mkdir(lab.confDir);
  await mkdir(lab.binDir);
  for (const name of await readdir(REAL_PLUGINS)) await symlink(join(REAL_PLUGINS, name), join(lab.binDir, name));
  const subnets = [[{ subnet: `10.${100 + ((high ?? 0) % 100)}.${low ?? 0}.0/24` }], [{ subnet: `fd00:${id}::/64` }]];
  const bridgePlugin = {
    type: 'bridge',
    bridge: lab.bridge,
    isGateway: true,
    ipMasq: true,
    ipam: { type: 'host-local', dataDir: lab.dataDir, ranges: subnets, routes: [{ dst: '0.0.0.0/0' }] },
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  const namespaces = new Set<string>();
  return {
    ...lab,
    bridgePlugin,
    configure: async (plugins = [bridgePlugin, portmap], more = {}) => {
      const list = { cniVersion: '1.0.0', name: network, ...more, plugins };
      await writeJson(join(lab.confDir, '10-test.conflist'), list);
    },
    namespace: (name) => {
      namespaces.add(name);
      pinNamespaces(join(dir, 'ns', name), { net: true, ipc: false, uts: false, loopback: true });
      return join(dir, 'ns', name, 'net');
    },
    removeNamespace: (name) => {
      unpinNamespaces(join(dir, 'ns', name));
    },
    leftovers: async () => [...(await addresses(lab.dataDir)), ...(await veths(lab.bridge)), ...(await firewallRules(network))],
    remove: async () => {
      for (const name of namespaces) unpinNamespaces(join(dir, 'ns', name));
      await execa('ip', ['link', 'delete', lab.bridge]).catch(() => undefined);
      await removeFirewallRules(network);
      await remove(dir);
    },
  };
}

async function addresses(dataDir: string): Promise<string[]> {
  const files = await readdir(dataDir, { recursive: true }).catch(() => []);
  return files.filter((file) => /\/[0-9a-f]*[.:][0-9a-f.:]*$/.test(file)).map((file) => `address ${file}`);
}

/** A veth can outlive its DEL by a moment: the kernel takes it away after the namespace. */
async function veths(bridge: string): Promise<string[]> {
  const list = async (): Promise<string[]> => {
    const { stdout } = await execa('ip', ['-o', 'link', 'show', 'master', bridge]).catch(() => ({ stdout: '' }));
    return stdout.split('\n').filter((line) => line !== '');
  };
  for (let tries = 0; tries < 40 && (await list()).length > 0; tries += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  return (await list()).map((line) => `link ${line}`);
}

async function firewallRules(network: string): Promise<string[]> {
  const saved = await Promise.all(['iptables-save', 'ip6tables-save'].map((program) => execa(program, ['-t', 'nat'])));
  const lines = saved.flatMap(({ stdout }) => stdout.split('\n'));
  return lines.filter((line) => line.includes(`"${network}\\"`) || line.includes(`name: "${network}`)).map((line) => `rule ${line}`);
}

/**
 * Takes away the rules of bridge and portmap whose comment holds `text` (a network's name or a container's id), and their chains.
 * The bridge plugin before 1.6 finds its rules by the addresses in the pod's namespace. Where that is gone, its DEL leaves them.
 */
export async function removeFirewallRules(text: string): Promise<void> {
  for (const program of ['iptables', 'ip6tables']) {
    const { stdout } = await execa(`${program}-save`, ['-t', 'nat']);
    for (const rule of stdout.split('\n').filter((line) => line.includes(text))) {
      const chain = / -j (CNI-(?:DN-|SN-)?[0-9a-f]+)$/.exec(rule)?.[1];
      if (chain === undefined) continue; // A rule inside such a chain.
      const steps = [rule.replace('-A', '-D'), `-F ${chain}`, `-X ${chain}`];
      await execa('sh', ['-c', steps.map((step) => `${program} -t nat ${step}`).join(' && ')]).catch(() => undefined);
    }
  }
}
