import { basename, isAbsolute } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { findProgram, programDirs } from '../config/resolve.ts';
import type { Config } from '../config/schema.ts';
import { isApparmorOn } from '../linux/apparmor.ts';
import { PLAIN_ENVIRONMENT, run } from '../linux/spawn.ts';
import type { HandlerFeatures } from '../ociruntime/answers.ts';
import { OciRuntime } from '../ociruntime/oci-runtime.ts';
import { findingsOf, isAtLeast, type Finding } from './finding.ts';

/** A program, and the first line of what it says to `--version`. */
export interface ProgramFacts {
  readonly name: string;
  readonly path: string;
  /** Undefined where it could not be asked; then `fault` says why. */
  readonly version: string | undefined;
  readonly fault?: string;
}

export interface HandlerFacts extends ProgramFacts {
  readonly isDefault: boolean;
  /** Undefined where the runtime has no such command. */
  readonly features: HandlerFeatures | undefined;
}

export interface ProgramsFacts {
  readonly handlers: readonly HandlerFacts[];
  readonly conmon: ProgramFacts;
  /** Undefined where checkpoints are off. */
  readonly criu: ProgramFacts | undefined;
  readonly iptables: ProgramFacts;
  /** Undefined where the kernel has no AppArmor. */
  readonly apparmorParser: ProgramFacts | undefined;
}

/** How long a program may take to say its version, milliseconds. */
const VERSION_MS = 3_000;

export async function readPrograms({
  runtime,
  conmon,
  checkpoint,
  runDir,
}: Pick<Config, 'runtime' | 'conmon' | 'checkpoint' | 'runDir'>): Promise<ProgramsFacts> {
  // prettier-ignore
  const ask = async (path: string): Promise<ProgramFacts> => askProgram(basename(path), path);
  // Who is no root may lack the directories of sbin in the PATH.
  const find = async (name: string): Promise<ProgramFacts> => ask(await findProgram(name, programDirs()));
  const [handlers, monitor, criu, iptables, apparmorParser] = await Promise.all([
    Promise.all(Object.entries(runtime.handlers).map(async ([name, handler]) => askHandler(name, handler.path, name === runtime.default, runDir))), // prettier-ignore
    ask(conmon),
    checkpoint.containers === 'none' ? undefined : ask(checkpoint.criu),
    find('iptables'),
    (await isApparmorOn()) ? find('apparmor_parser') : undefined,
  ]);
  return { handlers, conmon: monitor, criu, iptables, apparmorParser };
}

async function askProgram(name: string, path: string): Promise<ProgramFacts> {
  try {
    const { stdout, stderr, exit } = await run(path, { args: ['--version'], env: PLAIN_ENVIRONMENT, timeoutMs: VERSION_MS });
    const words = `${stdout.toString()}\n${stderr.toString()}`.trim().split('\n')[0] ?? '';
    if (exit.code === 0) return { name, path, version: words };
    return { name, path, version: undefined, fault: words };
  } catch (error) {
    return { name, path, version: undefined, fault: messageOf(error) };
  }
}

async function askHandler(name: string, path: string, isDefault: boolean, runDir: string): Promise<HandlerFacts> {
  const program = await askProgram(name, path);
  if (program.version === undefined) return { ...program, isDefault, features: undefined };
  const root = `${runDir}/runtime/${name}`;
  const runtime = new OciRuntime({ name, path, root, systemdCgroup: false, environment: PLAIN_ENVIRONMENT });
  const features = await runtime.features(VERSION_MS).catch(() => undefined);
  return { ...program, isDefault, features };
}

const { ok, note, warning, error } = findingsOf('runtimes');

export function judgePrograms(facts: ProgramsFacts): Finding[] {
  const { handlers, conmon, criu, iptables, apparmorParser } = facts;
  return [
    ...handlers.flatMap(judgeHandler),
    judgeConmon(conmon),
    ...(criu === undefined || criu.version !== undefined
      ? []
      : [note(`CRIU cannot be run (${criu.fault}): no checkpoints`, { advice: 'Install criu, or set checkpoint.containers = "none".' })]),
    ...(iptables.version === undefined
      ? [warning(`iptables cannot be run (${iptables.fault})`, { must: 'iptables', advice: 'Install it: the plugins bridge and portmap of most networks, and kube-proxy, want it.' })] // prettier-ignore
      : []),
    ...(apparmorParser !== undefined && apparmorParser.version === undefined
      ? [warning('AppArmor is on and apparmor_parser cannot be run: the profile of containers is not loaded', { must: 'apparmor_parser', advice: 'apt-get install apparmor' })] // prettier-ignore
      : []),
  ];
}

function judgeHandler({ name, path, version, fault, isDefault, features }: HandlerFacts): Finding[] {
  if (version === undefined)
    return [
      (isDefault ? error : warning)(`the runtime of handler ${name}, ${path}, cannot be run: ${fault}`, {
        must: 'an OCI runtime',
        advice: isAbsolute(path) ? 'Install it, or set runtime.handlers.NAME.path.' : `Install ${path}: it is not in the PATH.`,
      }),
    ];
  const found = ok(`handler ${name}${isDefault ? ' (default)' : ''}: ${version}, ${path}`);
  if (features === undefined)
    return [found, note(`${path} has no features command: it is taken to have no optional feature`, { advice: 'runc 1.1 and crun 1.8 have one.' })]; // prettier-ignore
  const lacks = [
    ...(features.idmapMounts && features.userNamespace ? [] : ['pods with user namespaces']),
    ...(features.recursiveReadOnlyMounts ? [] : ['recursive read-only mounts']),
    ...(features.checkpoints ? [] : ['checkpoints']),
  ];
  return lacks.length === 0 ? [found] : [found, note(`handler ${name} cannot do: ${lacks.join(', ')}`, { advice: 'runc 1.2 and crun 1.9 or later can, with CRIU built in.' })]; // prettier-ignore
}

function judgeConmon({ path, version, fault }: ProgramFacts): Finding {
  if (version === undefined)
    return error(`conmon, ${path}, cannot be run: ${fault}`, { must: 'conmon 2.1 or later', advice: 'apt-get install conmon, or set conmon.' }); // prettier-ignore
  if (isAtLeast(version, 2, 1) === false)
    return error(`${version}, ${path}`, { must: 'conmon 2.1 or later', advice: 'Upgrade it: older ones write no exit files as they must.' }); // prettier-ignore
  return ok(`${version}, ${path}`);
}
