/** What a node of the cluster runs besides its runtime: the kubelet and kube-proxy. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDir, writeJson } from 'fs-extra/esm';
import { copyTunables, enterScript } from '../support/kubelet-places.ts';
import { answers, DNS_SERVICE } from './control-plane.ts';
import type { Identities } from './identities.ts';
import { Component } from './process.ts';

export const NODE_NAME = 'podwright-test';
const KUBELET_HEALTH_PORT = 10248;
const PROXY_HEALTH_PORT = 10256;
/** Sizes at which the kubelet rotates a container's log. */
export const LOG_ROTATION = { maxSizeBytes: 256 * 1024, maxFiles: 10 } as const;

export interface NodeOptions {
  readonly programs: Readonly<Record<'kubelet' | 'kube-proxy', string>>;
  readonly identities: Identities;
  readonly directory: string;
  readonly address: string;
  /** The runtime's, as "unix:///...". */
  readonly endpoint: string;
  /** Where kubepods will be, as "/pw-1a2b3c". */
  readonly cgroupRoot: string;
}

/** It runs in a mount namespace in which the machine's tunables are files of ours; its mounts reach the runtime. */
export async function kubelet(options: NodeOptions): Promise<Component> {
  const { programs, identities, directory, address } = options;
  const folder = join(directory, 'tunables');
  await ensureDir(folder);
  await copyTunables(folder);
  await writeFile(join(directory, 'enter.sh'), enterScript(folder, []));
  await writeFile(join(directory, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  await writeJson(join(directory, 'kubelet.json'), kubeletConfiguration(options), { spaces: 2 });
  const flags = {
    config: join(directory, 'kubelet.json'),
    kubeconfig: identities.kubeconfig('kubelet'),
    'hostname-override': NODE_NAME,
    'node-ip': address,
    v: '2',
  };
  const command = [programs.kubelet, ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
  return new Component({
    name: 'kubelet',
    program: 'unshare',
    args: ['--mount', '--propagation', 'unchanged', '--', 'sh', join(directory, 'enter.sh'), ...command],
    logFile: join(directory, 'kubelet.log'),
    isReady: () => answers(`http://127.0.0.1:${KUBELET_HEALTH_PORT}/healthz`),
  });
}

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubeletConfiguration({ identities, directory, endpoint, cgroupRoot }: NodeOptions): object {
  const off = ['memory.available', 'nodefs.available', 'nodefs.inodesFree', 'imagefs.available', 'imagefs.inodesFree'];
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: endpoint,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: identities.file('ca.crt') } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: identities.file('kubelet-server.crt'),
    tlsPrivateKeyFile: identities.file('kubelet-server.key'),
    healthzPort: KUBELET_HEALTH_PORT,
    volumePluginDir: join(directory, 'volume-plugins'),
    clusterDomain: 'cluster.local',
    clusterDNS: [DNS_SERVICE],
    resolvConf: join(directory, 'resolv.conf'),
    cgroupDriver: 'cgroupfs',
    cgroupRoot,
    enforceNodeAllocatable: ['pods'],
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0, // less wants CAP_SYS_RESOURCE
    serializeImagePulls: false,
    registryPullQPS: 0,
    evictionHard: Object.fromEntries(off.map((name) => [name, '0%'])),
    imageGCHighThresholdPercent: 100,
    containerLogMaxSize: String(LOG_ROTATION.maxSizeBytes),
    containerLogMaxFiles: LOG_ROTATION.maxFiles,
    containerLogMonitorInterval: '3s',
    nodeStatusUpdateFrequency: '5s',
    nodeStatusReportFrequency: '5m', // where nothing has changed
    shutdownGracePeriod: '0s',
  };
}

/** https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/ */
export async function kubeProxy({ programs, identities, directory }: NodeOptions): Promise<Component> {
  const file = join(directory, 'kube-proxy.json');
  await writeJson(file, {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: identities.kubeconfig('proxy') },
    mode: 'nftables',
    hostnameOverride: NODE_NAME,
    healthzBindAddress: `127.0.0.1:${PROXY_HEALTH_PORT}`,
    // 0 leaves what the kernel has: it is the whole machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
  return new Component({
    name: 'kube-proxy',
    program: programs['kube-proxy'],
    args: [`--config=${file}`],
    logFile: join(directory, 'kube-proxy.log'),
    isReady: () => answers(`http://127.0.0.1:${PROXY_HEALTH_PORT}/livez`),
  });
}
