/**
 * The programs of a cluster, built from their Go modules by the module files of `modules/` and kept in a cache:
 *
 *     $PODWRIGHT_CLUSTER_CACHE, or podwright-cluster below $XDG_CACHE_HOME or /var/cache
 *       kubernetes-v1.37.2-<12 hex digits of go.mod and go.sum>/kubelet, kube-apiserver, ...
 *
 * Another go.mod or go.sum is another directory. No cgo: the images carry some of them, and those have no C library.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, pathExists } from 'fs-extra/esm';

/** For one of them, milliseconds; each takes minutes on two idle cores the first time. */
const BUILD_TIMEOUT_MS = 180 * 60_000;
const BUILD_ENV = { CGO_ENABLED: '0', GOFLAGS: '' };
const CACHE = process.env['PODWRIGHT_CLUSTER_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? '/var/cache', 'podwright-cluster');

/** Which module file builds a program, and what its package is there. */
interface Source {
  readonly module: keyof typeof MODULES;
  readonly package: string;
  /** It is the package's tests. */
  readonly isTests?: true;
}

/** The module that a file of `modules/` is for: its version is the programs'. */
const MODULES = {
  kubernetes: 'k8s.io/kubernetes',
  etcd: 'go.etcd.io/etcd/server/v3',
  coredns: 'github.com/coredns/coredns',
} as const;

const kubernetes = (path: string): Source => ({ module: 'kubernetes', package: `k8s.io/kubernetes/${path}` });

const SOURCES = {
  kubelet: kubernetes('cmd/kubelet'),
  etcd: { module: 'etcd', package: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': kubernetes('cmd/kube-apiserver'),
  'kube-controller-manager': kubernetes('cmd/kube-controller-manager'),
  'kube-scheduler': kubernetes('cmd/kube-scheduler'),
  'kube-proxy': kubernetes('cmd/kube-proxy'),
  coredns: { module: 'coredns', package: 'github.com/coredns/coredns' },
  kubectl: kubernetes('cmd/kubectl'),
  'e2e.test': { ...kubernetes('test/e2e'), isTests: true },
  ginkgo: { module: 'kubernetes', package: 'github.com/onsi/ginkgo/v2/ginkgo' },
  agnhost: kubernetes('test/images/agnhost'),
  nnp: kubernetes('test/images/nonewprivs'),
  'sample-apiserver': { module: 'kubernetes', package: 'k8s.io/sample-apiserver' },
} satisfies Readonly<Record<string, Source>>;

export type ProgramName = keyof typeof SOURCES;

export interface Program {
  readonly path: string;
  /** Of its module: "v1.37.2". */
  readonly version: string;
}

/** The program where the cache has it: for those that would not wait until it is built. */
export async function builtProgram(name: ProgramName): Promise<string | undefined> {
  const { path } = await placeOf(name);
  return (await pathExists(path)) ? path : undefined;
}

/** The program, built if the cache does not have it. @throws with the words of `go build` where it fails. */
export async function clusterProgram(name: ProgramName, tell: (line: string) => void): Promise<Program> {
  const { path, version, source, directory } = await placeOf(name);
  if (await pathExists(path)) return { path, version };
  await ensureDir(join(path, '..'));
  tell(`building ${name} ${version} into ${path}; the first time this takes long`);
  const begun = Date.now();
  const part = `${path}.${randomBytes(4).toString('hex')}.part`;
  await build(source, directory, version, part);
  await rename(part, path);
  tell(`built in ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  return { path, version };
}

/** Several, one after the other. */
export async function clusterPrograms<Name extends ProgramName>(
  names: readonly Name[],
  tell: (line: string) => void,
): Promise<Readonly<Record<Name, string>>> {
  const paths: [Name, string][] = [];
  for (const name of names) paths.push([name, (await clusterProgram(name, tell)).path]);
  return Object.fromEntries(paths) as Record<Name, string>;
}

async function placeOf(name: ProgramName): Promise<Program & { readonly source: Source; readonly directory: string }> {
  const source: Source = SOURCES[name];
  const directory = join(import.meta.dirname, 'modules', source.module);
  const { version, stamp } = await readModule(directory, MODULES[source.module]);
  return { path: join(CACHE, `${source.module}-${version}-${stamp}`, name), version, source, directory };
}

async function readModule(directory: string, main: string): Promise<{ readonly version: string; readonly stamp: string }> {
  const file = await readFile(join(directory, 'go.mod'), 'utf8');
  const sums = await readFile(join(directory, 'go.sum'), 'utf8');
  const version = file.split('\n').map((line) => line.trim().split(' ')).find(([path, found]) => path === main && found !== undefined)?.[1]; // prettier-ignore
  if (version === undefined) throw new Error(`${directory}/go.mod names no version of ${main}, it must`);
  return { version, stamp: createHash('sha256').update(file).update(sums).digest('hex').slice(0, 12) };
}

async function build(source: Source, directory: string, version: string, output: string): Promise<void> {
  const flags = ['-p', '2', '-mod=readonly', '-trimpath', '-ldflags', ['-s', '-w', ...variables(source, version)].join(' ')];
  const command = source.isTests === true ? ['test', '-c', '-vet=off'] : ['build'];
  await execa('nice', ['go', ...command, ...flags, '-o', output, source.package], {
    cwd: directory,
    env: BUILD_ENV,
    timeout: BUILD_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
}

/** Where the sources of Kubernetes' module are, for the files that its images have beside their programs. */
export async function kubernetesSources(): Promise<string> {
  const cwd = join(import.meta.dirname, 'modules', 'kubernetes');
  const { stdout } = await execa('go', ['list', '-mod=readonly', '-m', '-f', '{{.Dir}}', MODULES.kubernetes], { cwd, env: BUILD_ENV });
  return stdout;
}

/** The modules of Kubernetes say v0.0.0-master+$Format:%H$ of themselves; their own build sets these, and the e2e tests compare them. */
function variables(source: Source, version: string): string[] {
  if (source.module !== 'kubernetes') return [];
  const [, gitMajor = '', gitMinor = ''] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const values = { gitVersion: version, gitMajor, gitMinor };
  return Object.entries(values).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
}
