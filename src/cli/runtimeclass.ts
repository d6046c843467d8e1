import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import { DaemonError, messageOf } from '../base/errors.ts';
import { loadConfig } from '../config/load.ts';
import type { HandlerFacts } from '../nodecheck/runtimes.ts';
import type { Cluster, NodeHandler } from '../runtimeclass/cluster.ts';
import { judgeClasses } from '../runtimeclass/judge.ts';
import type { RuntimeClassReport } from '../runtimeclass/judge.ts';
import { addConfigOptions, configSources, orConfigError, textOption } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { jsonText, table } from './io.ts';
import type { CliIo } from './io.ts';

/** Of a node that kubeadm has made: the kubelet may read what is asked here, and an administrator everything. */
const KUBECONFIGS = ['/etc/kubernetes/kubelet.conf', '/etc/kubernetes/admin.conf'];

/** `runtimeclass`: the cluster's RuntimeClasses against this node's handlers. */
export function addRuntimeClass(podwright: Command, io: CliIo): void {
  const command = podwright
    .command('runtimeclass')
    .description("compare the cluster's RuntimeClasses with this node's handlers: which pods are not sent here, or do not start");
  addConfigOptions(command);
  command.option('--kubeconfig <FILE>', `how to reach the cluster (default: $KUBECONFIG, or the first of ${KUBECONFIGS.join(', ')})`);
  command.option('--node <NAME>', "this node's name in the cluster (default: its host name)");
  command.option('--json', 'print the whole report as JSON');
  command.action(async (options: Options) => {
    const { config } = await orConfigError(loadConfig(configSources(options)));
    const { readPrograms } = await import('../nodecheck/runtimes.ts');
    const kubeconfig = await findKubeconfig(textOption(options, 'kubeconfig'));
    const [{ handlers }, cluster] = await Promise.all([readPrograms(config), readCluster(kubeconfig, textOption(options, 'node'))]);
    const report = judgeClasses(cluster, handlers.map(nodeHandler));
    io.stdout.write(options['json'] === true ? jsonText(report) : reportText(report));
    const broken = report.classes.filter(({ verdict }) => verdict === 'broken').length;
    if (broken > 0)
      throw new CliError(EXIT.found, `runtimeclass: pods of ${broken} of ${report.classes.length} classes do not start on this node`);
  });
}

async function findKubeconfig(given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const fromEnvironment = process.env['KUBECONFIG']?.split(':').find((path) => path !== '');
  const places = fromEnvironment === undefined ? KUBECONFIGS : [fromEnvironment];
  for (const path of places) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new CliError(EXIT.failed, `runtimeclass: no kubeconfig: ${places.join(', ')} cannot be read; --kubeconfig names one`);
}

async function readCluster(kubeconfig: string, node: string | undefined): Promise<Cluster> {
  const client = await import('../runtimeclass/cluster-client.ts');
  try {
    return await client.readCluster(kubeconfig, node);
  } catch (error) {
    throw error instanceof DaemonError ? new CliError(EXIT.failed, `runtimeclass: ${messageOf(error)}`, { cause: error }) : error;
  }
}

function nodeHandler({ name, path, version, fault, features }: HandlerFacts): NodeHandler {
  const lacks = [
    ...(features?.userNamespace === true && features.idmapMounts ? [] : ['user namespaces (hostUsers: false)']),
    ...(features?.recursiveReadOnlyMounts === true ? [] : ['recursive read-only mounts']),
  ];
  return {
    name,
    program: path,
    lacks: version === undefined ? [] : lacks,
    ...(version === undefined ? { fault: fault ?? 'it says no version' } : {}),
  };
}

function reportText({ server, node, nodeFault, classes, unnamed }: RuntimeClassReport): string {
  const rows = classes.flatMap(({ name, handler, verdict, reasons, overhead }) => {
    const cost = Object.entries(overhead).map(([resource, quantity]) => `${resource} ${quantity}`);
    const [first = '', ...more] = reasons;
    return [[name, handler, verdict, cost.length === 0 ? '-' : cost.join(', '), first], ...more.map((reason) => ['', '', '', '', reason])];
  });
  const head =
    node === undefined
      ? `${server}; labels and taints were not looked at: ${nodeFault ?? 'the node is not known'}`
      : `${server}, node ${node}`;
  const lines = [table([[head]])];
  if (classes.length === 0) lines.push('no RuntimeClass\n');
  else lines.push('\n', table([['CLASS', 'HANDLER', 'HERE', 'OVERHEAD', 'WHY'], ...rows]));
  if (unnamed.length > 0)
    lines.push('\n', table([[`no RuntimeClass names ${unnamed.join(', ')}: no pod can ask for ${unnamed.length === 1 ? 'it' : 'them'}`]]));
  return lines.join('');
}
