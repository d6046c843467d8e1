import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { isObject, type JsonObject } from '../base/json.ts';
import { run } from '../linux/spawn.ts';
import { processesNamed } from './other-runtimes.ts';

/** What the kubelet of this node was told, by files and flags; flags win, as for the kubelet itself. */
export interface KubeletSettings {
  readonly pid: number | undefined;
  /** `v1.37.2`; undefined where it does not run or does not say. */
  readonly version: string | undefined;
  /** The files read, and what could not be. */
  readonly files: readonly string[];
  readonly faults: readonly string[];
  /** The fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) as text or object. */
  readonly fields: JsonObject;
}

/** Of the kubelet's flags those that are fields of its file too, by the name of the field. */
const FLAGS: Readonly<Record<string, string>> = {
  'container-runtime-endpoint': 'containerRuntimeEndpoint',
  'image-service-endpoint': 'imageServiceEndpoint',
  'cgroup-driver': 'cgroupDriver',
  'fail-swap-on': 'failSwapOn',
  'seccomp-default': 'seccompDefault',
  'pod-max-pids': 'podPidsLimit',
  'eviction-hard': 'evictionHard',
  'protect-kernel-defaults': 'protectKernelDefaults',
  'fail-cgroupv1': 'failCgroupV1',
  'max-pods': 'maxPods',
};
const KUBELET = '/var/lib/kubelet';
const FILE_LIMIT_BYTES = 1024 * 1024;
const VERSION_MS = 5_000;

/** @returns undefined where this node has no kubelet. */
export async function readKubeletSettings(): Promise<KubeletSettings | undefined> {
  const [running] = await processesNamed(['kubelet']);
  const args = running === undefined ? await environmentArgs() : (await readFile(`/proc/${running.pid}/cmdline`, 'utf8')).split('\0');
  const flags = flagsOf(args);
  const files: string[] = [];
  const faults: string[] = [];
  let fields: JsonObject = {};
  for (const path of [flags.get('config') ?? join(KUBELET, 'config.yaml'), ...(await dropIns(flags.get('config-dir')))]) {
    try {
      const document = await readYaml(path);
      if (document === undefined) continue;
      files.push(path);
      fields = { ...fields, ...document };
    } catch (error) {
      faults.push(`${path}: ${messageOf(error).split('\n')[0]}`);
    }
  }
  if (running === undefined && files.length === 0 && faults.length === 0 && flags.size === 0) return undefined;
  for (const [flag, field] of Object.entries(FLAGS)) {
    const value = flags.get(flag);
    if (value !== undefined) fields = { ...fields, [field]: field === 'evictionHard' ? thresholdsOf(value) : value };
  }
  return { pid: running?.pid, version: running === undefined ? undefined : await versionOf(running.pid), files, faults, fields };
}

/** What kubeadm hands to the unit of the kubelet. */
async function environmentArgs(): Promise<string[]> {
  const text = await unlessMissing(readFile(join(KUBELET, 'kubeadm-flags.env'), 'utf8'), '');
  return (/^KUBELET_KUBEADM_ARGS="?([^"\n]*)"?/m.exec(text)?.[1] ?? '').split(/\s+/).filter((word) => word !== '');
}

/** `--name=value` and `--name value`; a flag without a value is true. */
export function flagsOf(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (const [index, word] of args.entries()) {
    const [, name, value] = /^--?([a-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) continue;
    const next = args[index + 1];
    flags.set(name, value ?? (next === undefined || next === '' || next.startsWith('-') ? 'true' : next));
  }
  return flags;
}

/** `memory.available<100Mi,nodefs.available<10%` */
function thresholdsOf(text: string): JsonObject {
  return Object.fromEntries(text.split(',').map((each) => each.split('<') as [string, string]));
}

async function dropIns(directory: string | undefined): Promise<string[]> {
  if (directory === undefined) return [];
  const names = await unlessMissing(readdir(directory), []);
  return names.filter((name) => name.endsWith('.conf')).sort().map((name) => join(directory, name)); // prettier-ignore
}

async function readYaml(path: string): Promise<JsonObject | undefined> {
  const text = await unlessMissing(readFile(path, 'utf8'), undefined);
  if (text === undefined) return undefined;
  if (text.length > FILE_LIMIT_BYTES) throw new Error(`it has ${text.length} characters, must have ${FILE_LIMIT_BYTES} or fewer`);
  const { FAILSAFE_SCHEMA, load } = await import('js-yaml');
  const document = load(text, { schema: FAILSAFE_SCHEMA });
  if (!isObject(document)) throw new Error('it is no mapping, must be a KubeletConfiguration');
  return document;
}

async function versionOf(pid: number): Promise<string | undefined> {
  try {
    const program = await readlink(`/proc/${pid}/exe`);
    const { stdout } = await run(program, { args: ['--version'], timeoutMs: VERSION_MS });
    return /v\d+\.\d+\.\S+/.exec(stdout.toString())?.[0];
  } catch {
    return undefined; // it is of another mount namespace, or gone
  }
}
