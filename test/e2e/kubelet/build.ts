import { createHash } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, pathExists } from 'fs-extra/esm';

/** A build from nothing takes 8 minutes on two idle cores, most of an hour on two that are shared. Milliseconds. */
const BUILD_TIMEOUT_MS = 90 * 60_000;
const PACKAGE = 'k8s.io/kubernetes/cmd/kubelet';

export interface Kubelet {
  readonly path: string;
  /** "v1.37.2". */
  readonly version: string;
}

/**
 * The kubelet that go.mod beside this file names, built once and kept in `cache`. Another go.mod or go.sum is another
 * file there. @throws with the words of `go build` where it fails.
 */
export async function kubeletProgram(cache: string, tell: (line: string) => void): Promise<Kubelet> {
  const module = await readFile(join(import.meta.dirname, 'go.mod'), 'utf8');
  const sums = await readFile(join(import.meta.dirname, 'go.sum'), 'utf8');
  const version = /^\s*k8s\.io\/kubernetes (v\S+)/m.exec(module)?.[1];
  if (version === undefined) throw new Error('build kubelet: go.mod names no version of k8s.io/kubernetes, it must');
  const path = join(cache, `kubelet-${version}-${createHash('sha256').update(module).update(sums).digest('hex').slice(0, 12)}`);
  if (await pathExists(path)) return { path, version };
  await ensureDir(cache);
  tell(`building the kubelet ${version} into ${path}; the first time this takes long`);
  const begun = Date.now();
  await build(version, `${path}.part`);
  await rename(`${path}.part`, path);
  tell(`built in ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  return { path, version };
}

async function build(version: string, output: string): Promise<void> {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  // The module says v0.0.0-master+$Format:%H$ of itself; its own build sets these.
  const variables = { gitVersion: version, gitMajor: major, gitMinor: minor };
  const set = Object.entries(variables).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  const args = ['build', '-p', '2', '-mod=readonly', '-trimpath', '-ldflags', ['-s', '-w', ...set].join(' '), '-o', output, PACKAGE];
  await execa('nice', ['go', ...args], {
    cwd: import.meta.dirname,
    env: { CGO_ENABLED: '0', GOFLAGS: '' },
    timeout: BUILD_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
}
