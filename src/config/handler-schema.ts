import { annotationPattern, runtimeOption } from './container-kinds.ts';
import { anyText, flag, listOf, optionalDuration, optionalPath, optionalProgram } from './kinds.ts';
import { key, type SchemaKeys } from './schema-nodes.ts';

const annotations = listOf(annotationPattern, 'a list of names of annotations, with * for any text but a slash');

/** The keys of one runtime handler. */
export const handlerKeys = {
  path: key(optionalProgram, '', "The OCI runtime; empty: the program that has the handler's name."),
  root: key(optionalPath, '', 'Where it keeps its state; empty: runtime/NAME under run_dir.'),
  options: key(
    listOf(runtimeOption, 'a list of arguments'),
    [],
    'Arguments that every command of the runtime gets, before its name: ["--debug"], of runsc ["--platform=kvm"].',
  ),
  noPivot: key(flag, false, 'Whether it creates containers with --no-pivot: where the root of the node is a RAM disk. runc, crun.'),
  noNewKeyring: key(flag, false, 'Whether it creates containers with --no-new-keyring. runc, crun.'),
  podAnnotations: key(
    annotations,
    [],
    'Annotations of the pod that are handed to the runtime, with all its containers and its infra container: ["dev.gvisor.*"]. ' +
      'Without this and the next two keys it gets none: some runtimes take orders from them.',
    { reloadable: true },
  ),
  containerAnnotations: key(annotations, [], "Annotations of the container's own that are handed to the runtime with it.", {
    reloadable: true,
  }),
  allowedAnnotations: key(
    annotations,
    [],
    'Annotations of pod and container that are handed to the runtime, and of which the daemon obeys those that it knows (docs/annotations.md).',
    { reloadable: true },
  ),
  baseRuntimeSpec: key(
    optionalPath,
    '',
    'An OCI runtime spec, JSON, that the spec of every container is laid over. What the request, its image or a key of this ' +
      'configuration decides wins; mounts, devices, hooks, limits, annotations and fields that nothing here knows come to it.',
  ),
  seccompProfile: key(optionalPath, '', 'As the key of this name at the top, for this handler; empty: that one.'),
  apparmorProfile: key(anyText, '', 'As the key of this name at the top, for this handler; empty: that one.'),
  cniConfDir: key(
    optionalPath,
    '',
    'Where the CNI configurations of its pods are, watched; that of the first file in name order counts. Empty: as cni.conf_dir and ' +
      "cni.default_network say. Whether the node's network is ready depends on those alone.",
  ),
  createTimeoutMs: key(optionalDuration(1000), 0, 'How long the runtime may take to create a container; "0s": timeouts.container_create.'),
  privilegedWithoutHostDevices: key(flag, false, "Whether privileged containers get none of the node's devices: only those they ask for.", {
    reloadable: true,
  }),
  privilegedWithoutHostDevicesAllDevicesAllowed: key(
    flag,
    false,
    'Whether such containers may use every device that they make a node of. Only with the key before.',
    { reloadable: true },
  ),
  cgroupWritable: key(
    flag,
    false,
    'Whether containers may write in their own cgroup, /sys/fs/cgroup, without being privileged (KEP-5474). Only on cgroup v2.',
    { reloadable: true },
  ),
} as const satisfies SchemaKeys;
