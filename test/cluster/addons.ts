/** What a cluster has besides its components: DNS, and a RuntimeClass for each handler. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { DNS_SERVICE } from './control-plane.ts';
import { CLUSTER_IMAGES } from './images.ts';

const DNS = { name: 'coredns', namespace: 'kube-system' };
const LABELS = { 'k8s-app': 'kube-dns' };

/** Names outside of the cluster do not exist: nothing is forwarded. */
const COREFILE = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
  cache 5
}
`;

export function runtimeClasses(handlers: readonly string[]): KubernetesObject[] {
  return handlers.map((handler) => ({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: handler }, handler }));
}

/** CoreDNS as kubeadm has it, with one replica. */
export function dns(): KubernetesObject[] {
  const read = (apiGroups: string[], resources: string[]): object => ({ apiGroups, resources, verbs: ['list', 'watch'] });
  const rules = [read([''], ['endpoints', 'services', 'pods', 'namespaces']), read(['discovery.k8s.io'], ['endpointslices'])];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: DNS.name };
  const subjects = [{ kind: 'ServiceAccount', ...DNS }];
  const port = (name: string, number: number, protocol: string): object => ({ name, port: number, protocol, targetPort: number });
  const ports = [port('dns', 53, 'UDP'), port('dns-tcp', 53, 'TCP')];
  const objects = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: DNS },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: DNS.name }, rules },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: DNS.name }, roleRef, subjects },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: DNS, data: { Corefile: COREFILE } },
    dnsDeployment(),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: DNS.namespace, labels: { ...LABELS, 'kubernetes.io/name': 'CoreDNS' } },
      spec: { selector: LABELS, clusterIP: DNS_SERVICE, ports },
    },
  ];
  return objects;
}

function dnsDeployment(): KubernetesObject & { readonly spec: object } {
  const container = {
    name: 'coredns',
    image: CLUSTER_IMAGES.coredns,
    args: ['-conf', '/etc/coredns/Corefile'],
    readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 2, timeoutSeconds: 5 },
    volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
  };
  const spec = {
    serviceAccountName: DNS.name,
    dnsPolicy: 'Default',
    priorityClassName: 'system-cluster-critical',
    tolerations: [{ operator: 'Exists' }],
    containers: [container],
    volumes: [{ name: 'config', configMap: { name: DNS.name } }],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...DNS, labels: LABELS },
    spec: { replicas: 1, selector: { matchLabels: LABELS }, template: { metadata: { labels: LABELS }, spec } },
  };
}
