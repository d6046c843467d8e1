/** etcd, the API server, the controller manager and the scheduler, each a process of the node. Facts: their own --help, v1.37. */
import { join } from 'node:path';
import { execa } from 'execa';
import type { Identities } from './identities.ts';
import { Component } from './process.ts';

export const API_PORT = 6443;
export const SERVICE_RANGE = '10.96.0.0/16';
/** The first of the range is the API server's, the tenth is DNS's by custom. */
export const API_SERVICE = '10.96.0.1';
export const DNS_SERVICE = '10.96.0.10';
const ETCD = 'http://127.0.0.1:2379';
const ETCD_PEERS = 'http://127.0.0.1:2380';
const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface ControlPlaneOptions {
  readonly programs: Readonly<Record<'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler', string>>;
  readonly identities: Identities;
  readonly directory: string;
  readonly nodeAddress: string;
}

/** In the order of their start. */
export function controlPlane(options: ControlPlaneOptions): Component[] {
  return [etcd(options), apiServer(options), controllerManager(options), scheduler(options)];
}

/** Whether a URL answers 200; certificates are not looked at, since some are the component's own. */
export async function answers(url: string): Promise<boolean> {
  const { exitCode } = await execa('curl', ['-sSk', '--fail', '--max-time', '5', '-o', '/dev/null', url], { reject: false });
  return exitCode === 0;
}

const flags = (values: Readonly<Record<string, string>>): string[] => Object.entries(values).map(([name, value]) => `--${name}=${value}`);

function etcd({ programs, directory }: ControlPlaneOptions): Component {
  const args = flags({
    'data-dir': join(directory, 'etcd'),
    'listen-client-urls': ETCD,
    'advertise-client-urls': ETCD,
    'listen-peer-urls': ETCD_PEERS,
    'initial-advertise-peer-urls': ETCD_PEERS,
    'initial-cluster': `default=${ETCD_PEERS}`,
    'unsafe-no-fsync': 'true',
  });
  const isReady = (): Promise<boolean> => answers(`${ETCD}/health`);
  return new Component({ name: 'etcd', program: programs.etcd, args, logFile: join(directory, 'etcd.log'), isReady });
}

function apiServer({ programs, identities, directory, nodeAddress }: ControlPlaneOptions): Component {
  const args = flags({
    'etcd-servers': ETCD,
    'bind-address': '0.0.0.0',
    'secure-port': String(API_PORT),
    'advertise-address': nodeAddress,
    'tls-cert-file': identities.file('apiserver.crt'),
    'tls-private-key-file': identities.file('apiserver.key'),
    'client-ca-file': identities.file('ca.crt'),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': 'true',
    'service-cluster-ip-range': SERVICE_RANGE,
    'service-account-issuer': ISSUER,
    'service-account-key-file': identities.file('sa.pub'),
    'service-account-signing-key-file': identities.file('sa.key'),
    'kubelet-client-certificate': identities.file('apiserver-kubelet-client.crt'),
    'kubelet-client-key': identities.file('apiserver-kubelet-client.key'),
    'kubelet-certificate-authority': identities.file('ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP',
    'requestheader-client-ca-file': identities.file('ca.crt'),
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'proxy-client-cert-file': identities.file('front-proxy-client.crt'),
    'proxy-client-key-file': identities.file('front-proxy-client.key'),
    'shutdown-delay-duration': '0s',
  });
  const isReady = (): Promise<boolean> => answers(`https://127.0.0.1:${API_PORT}/readyz`);
  return new Component({
    name: 'kube-apiserver',
    program: programs['kube-apiserver'],
    args,
    logFile: join(directory, 'apiserver.log'),
    isReady,
  });
}

/** Flags of a component that is a client of the API server and asks it about its own clients. */
function clientFlags(kubeconfig: string): Record<string, string> {
  return {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'leader-elect': 'false',
    'bind-address': '127.0.0.1',
  };
}

function controllerManager({ programs, identities, directory }: ControlPlaneOptions): Component {
  const args = flags({
    ...clientFlags(identities.kubeconfig('controller-manager')),
    'service-account-private-key-file': identities.file('sa.key'),
    'root-ca-file': identities.file('ca.crt'),
    'cluster-signing-cert-file': identities.file('ca.crt'),
    'cluster-signing-key-file': identities.file('ca.key'),
    'use-service-account-credentials': 'true',
    'service-cluster-ip-range': SERVICE_RANGE,
    'allocate-node-cidrs': 'false',
  });
  const isReady = (): Promise<boolean> => answers('https://127.0.0.1:10257/healthz');
  const logFile = join(directory, 'controller-manager.log');
  return new Component({ name: 'kube-controller-manager', program: programs['kube-controller-manager'], args, logFile, isReady });
}

function scheduler({ programs, identities, directory }: ControlPlaneOptions): Component {
  const args = flags(clientFlags(identities.kubeconfig('scheduler')));
  const isReady = (): Promise<boolean> => answers('https://127.0.0.1:10259/healthz');
  return new Component({
    name: 'kube-scheduler',
    program: programs['kube-scheduler'],
    args,
    logFile: join(directory, 'scheduler.log'),
    isReady,
  });
}
