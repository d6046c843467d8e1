/** containerd as the runtime of a node that is to be moved. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IMAGES } from '../support/test-image.ts';
import { MIRRORED } from './images.ts';
import type { OldParts, OldRuntimeKind } from './old-kind.ts';

export const CONTAINERD: OldRuntimeKind = {
  socket: 'unix:///run/containerd/containerd.sock',
  places: ['/var/lib/containerd', '/run/containerd'],
  inStatus: 'containerd',
  inCheck: 'containerd',
  store: '/var/lib/containerd',
  configFile: 'config.toml',
  migrateFlags: (directory) => ['--from', 'containerd', '--registry-dir', join(directory, 'registries')],
  inReport: /config_path/,
  moveImages: `for ref in $(ctr -n k8s.io images ls -q | grep -v sha256:); do
    ctr -n k8s.io images export --platform linux/amd64 "$ARCHIVE" "$ref" && $LOAD "$ARCHIVE" >/dev/null && echo "$ref"; rm -f "$ARCHIVE"; done`,
  // It fetches no layer whose files it has unpacked already, for an image that has it compressed otherwise.
  refusal: /content digest \S+ not found/,
};

/** @returns the shell command that starts it */
export async function configureContainerd({ directory, program, daemon, cniBinDirs, archive }: OldParts): Promise<string> {
  const runtime = 'plugins."io.containerd.cri.v1.runtime"';
  const images = 'plugins."io.containerd.cri.v1.images"';
  const handler = (name: string): string => `[${runtime}.containerd.runtimes.${name}]
runtime_type = "io.containerd.runc.v2"
[${runtime}.containerd.runtimes.${name}.options]
BinaryName = "runc"
`;
  const configuration = `version = 3
[${runtime}]
restrict_oom_score_adj = true
[${runtime}.cni]
conf_dir = "${daemon.cniConfDir}"
bin_dirs = ${JSON.stringify(cniBinDirs)}
[${runtime}.containerd]
default_runtime_name = "runc"
${handler('runc')}${handler('second')}[${images}.pinned_images]
sandbox = "${IMAGES.layers}"
[${images}.registry]
config_path = "${join(directory, 'certs.d')}"
[plugins."io.containerd.nri.v1.nri"]
disable = true
`;
  await writeFile(join(directory, CONTAINERD.configFile), configuration);
  const hosts = MIRRORED.map((name) => join(directory, 'certs.d', name));
  return [
    `PATH=$(dirname ${program}):$PATH`,
    ...hosts.map(
      (host) => `mkdir -p ${host} && printf '[host."http://%s"]\\ncapabilities = ["pull", "resolve"]\\n' "$REGISTRY" > ${host}/hosts.toml`,
    ),
    // What no registry has: what its pods' own process is, and an image of the node alone.
    `(until ctr -n k8s.io images import ${archive} >/dev/null 2>&1; do sleep 0.5; done) &`,
    `exec ${program} -c ${directory}/${CONTAINERD.configFile}`,
  ].join('\n');
}
