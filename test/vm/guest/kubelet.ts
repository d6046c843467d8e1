/** A kubelet in the guest, without an API server and with default settings, as a unit of systemd. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, outputJson, pathExists, remove } from 'fs-extra/esm';
import { until } from '../../support/pods.ts';
import { output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';

const PROGRAM = '/payload/kubelet';
const DIRECTORY = '/var/lib/vm-kubelet';
const UNIT = 'vm-kubelet.service';
const PORT = 10_255;
/** The guest has no interface of its own: this stands for one. */
const ADDRESS = '10.98.0.2';
const BRIDGE = 'vmkubelet0';
const NODE_NAME = 'vm';

/** A line of a page of metrics: the series' name and its labels. */
type Series = Readonly<Record<string, string>> & { readonly series: string };

export class GuestKubelet {
  static async isThere(): Promise<boolean> {
    return pathExists(PROGRAM);
  }

  static async start(node: GuestNode): Promise<GuestKubelet> {
    await output('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
    await output('ip', 'address', 'add', `${ADDRESS}/24`, 'dev', BRIDGE);
    await output('ip', 'link', 'set', BRIDGE, 'up');
    await ensureDir(join(DIRECTORY, 'manifests'));
    await outputJson(join(DIRECTORY, 'config.json'), configuration(node));
    const args = [
      '--config',
      join(DIRECTORY, 'config.json'),
      '--root-dir',
      join(DIRECTORY, 'root'),
      '--cert-dir',
      join(DIRECTORY, 'certs'),
    ];
    const flags = ['--hostname-override', NODE_NAME, '--node-ip', ADDRESS, '--v', '2'];
    await output('systemd-run', '--collect', '--unit', UNIT, '--property', 'Delegate=yes', PROGRAM, ...args, ...flags);
    const kubelet = new GuestKubelet();
    await until('the kubelet answers', async () => kubelet.#get('/pods').then(() => true, () => false), 2 * PATIENCE_MS); // prettier-ignore
    return kubelet;
  }

  /** A static pod with one container, `main`. */
  async apply(name: string, image: string): Promise<void> {
    const main = { name: 'main', image, imagePullPolicy: 'Never', command: ['sleep', '3600'], resources: { limits: { memory: '64Mi' } } };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { terminationGracePeriodSeconds: 0, dnsPolicy: 'Default', containers: [main] },
    };
    await writeFile(join(DIRECTORY, `manifests/${name}.json`), JSON.stringify(pod));
  }

  /** A static pod's name has the node's behind it. */
  podName(name: string): string {
    return `${name}-${NODE_NAME}`;
  }

  async remove(name: string): Promise<void> {
    await remove(join(DIRECTORY, `manifests/${name}.json`));
    const isGone = async (): Promise<boolean> => !(await this.#get('/pods')).includes(`"${this.podName(name)}"`);
    await until(`the pod ${name} is gone`, isGone, 2 * PATIENCE_MS);
  }

  /** What /metrics/cadvisor and /stats/summary do not have of such a pod. */
  async lacks(name: string, image: string): Promise<string[]> {
    const ofPod = { pod: this.podName(name), namespace: 'default' };
    const all = seriesOf(await this.#get('/metrics/cadvisor'));
    const has = (series: string, labels: Readonly<Record<string, string>>): boolean =>
      all.some((one) => one.series === series && Object.entries(labels).every(([label, value]) => one[label] === value));
    const wanted: (readonly [string, Readonly<Record<string, string>>])[] = [
      ...['cpu_usage_seconds_total', 'memory_working_set_bytes', 'processes', 'spec_memory_limit_bytes', 'fs_usage_bytes'].map(
        (series) => [`container_${series}`, { ...ofPod, container: 'main', image }] as const,
      ),
      ...['receive', 'transmit'].map(
        (way) => [`container_network_${way}_bytes_total`, { ...ofPod, container: 'POD', interface: 'eth0' }] as const,
      ),
      ...((await pathExists('/proc/pressure/cpu'))
        ? ([['container_pressure_cpu_waiting_seconds_total', { ...ofPod, container: 'main' }]] as const)
        : []),
    ];
    const series = wanted.filter(([one, labels]) => !has(one, labels)).map(([one]) => one);
    const { pods } = JSON.parse(await this.#get('/stats/summary')) as { readonly pods: readonly SummaryPod[] };
    const summary = pods.find(({ podRef }) => podRef.name === ofPod.pod);
    return [...series, ...(summary?.network?.rxBytes === undefined ? ['the network in /stats/summary'] : [])];
  }

  async logTail(): Promise<string> {
    return (await execa('journalctl', ['-u', UNIT, '-n', '40', '--no-pager', '-o', 'cat'], { reject: false })).stdout;
  }

  /** Ends it and takes away what it has made, its mounts too. */
  async stop(): Promise<void> {
    await execa('systemctl', ['stop', UNIT], { reject: false, timeout: PATIENCE_MS });
    const { stdout } = await execa('findmnt', ['-rn', '-o', 'TARGET'], { reject: false });
    for (const target of stdout.split('\n').filter((one) => one.startsWith(`${DIRECTORY}/`)).reverse()) await output('umount', '-l', target); // prettier-ignore
    await remove(DIRECTORY);
    await output('ip', 'link', 'delete', BRIDGE);
  }

  async #get(path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${PORT}${path}`, { signal: AbortSignal.timeout(60_000) });
    const text = await response.text();
    assert.equal(response.status, 200, `GET ${path}: ${response.status}: ${text}`);
    return text;
  }
}

interface SummaryPod {
  readonly podRef: { readonly name: string };
  readonly network?: { readonly rxBytes?: number };
}

function seriesOf(page: string): Series[] {
  return [...page.matchAll(/^(\w+)\{(.*)\} \S+/gm)].map(([, series = '', labels = '']) => ({
    series,
    ...Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value])),
  }));
}

/** What cannot be left out without an API server, or in so small a machine. */
function configuration(node: GuestNode): object {
  const off = ['memory.available', 'nodefs.available', 'nodefs.inodesFree', 'imagefs.available', 'imagefs.inodesFree'];
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${node.runDir}/podwright.sock`,
    staticPodPath: join(DIRECTORY, 'manifests'),
    podLogsDir: join(DIRECTORY, 'logs'),
    address: '127.0.0.1',
    readOnlyPort: PORT,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    makeIPTablesUtilChains: false,
    evictionHard: Object.fromEntries(off.map((name) => [name, '0%'])),
    imageGCHighThresholdPercent: 100,
    fileCheckFrequency: '2s',
  };
}
