/** CRI-O as the runtime of a node that is to be moved. */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findProgram } from '../support/find-program.ts';
import { MIRRORED } from './images.ts';
import type { OldParts, OldRuntimeKind } from './old-kind.ts';

const STORE = '/var/lib/containers/storage';

export const CRIO: OldRuntimeKind = {
  socket: 'unix:///var/run/crio/crio.sock',
  places: ['/var/lib/containers', '/run/containers', '/var/lib/crio', '/run/crio'],
  inStatus: 'cri-o',
  inCheck: 'CRI-O',
  store: STORE,
  configFile: 'crio.conf',
  migrateFlags: () => ['--from', 'crio'],
  inReport: /cgroup_manager/,
  moveImages: `for ref in $(\${CRICTL:-crictl} -r unix:///var/run/crio/crio.sock images -o json | grep -o '"localhost/[^"@]*:[^"@]*"' | tr -d '"' | sort -u); do
    skopeo copy -q "containers-storage:$ref" "oci-archive:$ARCHIVE:$ref" && $LOAD "$ARCHIVE" >/dev/null && echo "$ref"; rm -f "$ARCHIVE"; done`,
  refusal: /^$/,
};

/** @returns the shell command that starts it */
export async function configureCrio({ directory, program, daemon, cniBinDirs, archive, images }: OldParts): Promise<string> {
  const runc = (await findProgram('runc', process.env['PODWRIGHT_TEST_RUNTIME'])) ?? 'runc';
  const handler = (name: string): string => `[crio.runtime.runtimes.${name}]
runtime_path = "${runc}"
monitor_cgroup = "pod"
`;
  const configuration = `[crio]
storage_driver = "overlay"
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
default_runtime = "runc"
pinns_path = "${join(dirname(program), 'pinns')}"
apparmor_profile = "unconfined"
irqbalance_config_restore_file = "disable"
hooks_dir = []
${handler('runc')}${handler('second')}[crio.image]
pause_image = "${images[0] ?? ''}"
signature_policy = "${join(directory, 'policy.json')}"
[crio.network]
network_dir = "${daemon.cniConfDir}"
plugin_dirs = ${JSON.stringify(cniBinDirs)}
[crio.nri]
enable_nri = false
`;
  await writeFile(join(directory, CRIO.configFile), configuration);
  await writeFile(join(directory, 'policy.json'), '{"default": [{"type": "insecureAcceptAnything"}]}');
  const registries = join(directory, 'registries.conf');
  const mirror = (name: string): string =>
    `printf '[[registry]]\\nlocation = "${name}"\\n[[registry.mirror]]\\nlocation = "%s"\\ninsecure = true\\n' "$REGISTRY" >> ${registries}`;
  return [
    `mkdir -p ${directory}/empty && : > ${registries}`,
    ...MIRRORED.map(mirror),
    `export CONTAINERS_REGISTRIES_CONF=${registries} CONTAINER_REGISTRIES_CONF=${registries} CONTAINER_REGISTRIES_CONF_DIR=${directory}/empty`,
    // What no registry has: images of the node alone.
    ...images.map((name) => `skopeo --insecure-policy copy -q docker-archive:${archive}:${name} containers-storage:${name}`),
    `exec ${program} -c ${directory}/${CRIO.configFile} -d ${directory}/empty`,
  ].join('\n');
}
