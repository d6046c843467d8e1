import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { ImageProcessConfig } from '../base/image-process-config.ts';
import type { Ulimit } from '../base/ulimit.ts';
import { RLIMIT_INFINITY } from './host-facts.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciProcess, OciRlimit } from './oci-types.ts';
import { textOfBytes } from './text-of-bytes.ts';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * What to run: `command` takes the place of the image's Entrypoint and drops its Cmd; `args` alone takes the place of
 * its Cmd. (Kubernetes documentation, "Define a command and arguments for a container".)
 * @throws DaemonError InvalidArgument where nothing is left to run.
 */
export function processArgs(config: Pick<ContainerConfig, 'command' | 'args'>, image: ImageProcessConfig): string[] {
  const replaced = config.command.length > 0;
  const program = replaced ? config.command : (image.Entrypoint ?? []);
  const args = config.args.length > 0 || replaced ? config.args : (image.Cmd ?? []);
  const line = [...program, ...args];
  if (line[0] === undefined || line[0] === '') {
    throw new DaemonError(
      'InvalidArgument',
      'build spec: nothing to run: the request has no command and args, the image no Entrypoint and Cmd',
    );
  }
  const broken = line.find((word) => word.includes('\0'));
  if (broken !== undefined) {
    throw new DaemonError(
      'InvalidArgument',
      `build spec: ${shown(broken)} of command and args holds a NUL byte, which no program can be given`,
    );
  }
  return line;
}

export interface EnvironmentInput {
  readonly image: ImageProcessConfig;
  /** The owner's, for every container. */
  readonly defaults: readonly string[];
  /** Those of the request, from requestVariables. */
  readonly variables: readonly string[];
  readonly tty: boolean;
  readonly hostname: string;
  readonly home: string | undefined;
  /** Told of what is odd in the image and was left out. */
  readonly warn: (words: string) => void;
}

/**
 * The environment, each name once, a later source winning: our defaults (PATH; TERM with a terminal), the owner's, HOME from /etc/passwd, the
 * image's, HOSTNAME, the request's. An entry of the image that is no variable is left out, as CRI-O does: the runtime would
 * refuse it.
 */
export function processEnv(input: EnvironmentInput): string[] {
  const variables = new Map<string, string>();
  const add = (entry: string): void => {
    variables.set(nameOf(entry), entry);
  };
  add(DEFAULT_PATH);
  if (input.tty) add('TERM=xterm');
  for (const entry of input.defaults) add(entry);
  const fromImage = [...(input.home === undefined ? [] : [`HOME=${input.home}`]), ...(input.image.Env ?? [])];
  const [usable, odd] = partition(fromImage, (entry) => entry.indexOf('=') > 0 && !entry.includes('\0'));
  for (const entry of usable) add(entry);
  add(`HOSTNAME=${input.hostname}`);
  for (const entry of input.variables) add(entry);
  if (odd.length > 0)
    input.warn(
      `${odd.length} of the image's environment variables are left out, the first is ${shown(odd[0])}: must be NAME=VALUE without a NUL byte`,
    );
  return [...variables.values()];
}

/**
 * The variables of a request as `NAME=value`. A value may come from a secret of any bytes: see {@link textOfBytes}.
 * @param warn told of values that are not text, and changed.
 * @throws DaemonError InvalidArgument for a name or value that execve(2) cannot carry.
 */
export function requestVariables(envs: ContainerConfig['envs'], warn: (words: string) => void): string[] {
  const changed: string[] = [];
  const variables = envs.map(({ key, value }) => {
    const { text, isExact } = textOfBytes(value);
    if (!isExact) changed.push(key);
    return checkVariable(key, text);
  });
  if (changed.length > 0)
    warn(
      `the value of environment variable ${shown(changed[0])} (of ${changed.length} such) is not UTF-8: U+FFFD takes the place of each bad byte`,
    );
  return variables;
}

function partition<T>(values: readonly T[], isFirst: (value: T) => boolean): [T[], T[]] {
  return [values.filter(isFirst), values.filter((value) => !isFirst(value))];
}

/** MAX_ARG_STRLEN less its closing zero: execve(2), linux/binfmts.h. */
const WORD_LIMIT_BYTES = 131_071;

const SHOWN_CHARACTERS = 64;

function shown(text = ''): string {
  return JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? entry;
}

function checkVariable(key: string, value: string): string {
  if (key === '' || key.includes('='))
    throw new DaemonError('InvalidArgument', `build spec: envs has the key ${shown(key)}, must not be empty or hold "="`);
  // The server refuses a NUL byte in texts; a value is bytes.
  if (value.includes('\0'))
    throw new DaemonError('InvalidArgument', `build spec: envs: the value of ${shown(key)} holds a NUL byte, which execve(2) cannot carry`);
  const bytes = Buffer.byteLength(key) + 1 + Buffer.byteLength(value);
  if (bytes > WORD_LIMIT_BYTES)
    throw new DaemonError(
      'InvalidArgument',
      `build spec: envs: ${shown(key)} has ${bytes} bytes with its value, must have at most ${WORD_LIMIT_BYTES}`,
    );
  return `${key}=${value}`;
}

/**
 * The directory the process starts in: the request's, else the image's, else /. A relative one counts from /.
 * @throws DaemonError InvalidArgument for a text of the image that is no path.
 */
export function workingDirectory(config: Pick<ContainerConfig, 'workingDir'>, image: ImageProcessConfig): string {
  const directory = config.workingDir || image.WorkingDir || '/';
  if (directory.includes('\0')) throw new DaemonError('InvalidArgument', 'build spec: working_dir holds a NUL byte, must be a path');
  return directory.startsWith('/') ? directory : `/${directory}`;
}

/** An oom_score_adj that the daemon may set: never below its floor, never outside -1000 to 1000. */
export function clampOomScoreAdj(wanted: number, host: Pick<HostFacts, 'oomScoreAdjFloor'>): number {
  return Math.min(1000, Math.max(wanted, host.oomScoreAdjFloor, -1000));
}

/** The limits, none above what the daemon may set, the soft one never above the hard one. */
export function processRlimits(limits: readonly Ulimit[], host: Pick<HostFacts, 'rlimitCeilings'>): OciRlimit[] {
  const given = (limit: number): number | bigint => (limit === -1 ? RLIMIT_INFINITY : limit);
  return limits.map(({ type, soft, hard }) => withinCeiling({ type, soft: given(soft), hard: given(hard) }, host));
}

/** A limit, lowered to what the daemon may set, and the soft one to the hard one. */
export function withinCeiling({ type, soft, hard }: OciRlimit, host: Pick<HostFacts, 'rlimitCeilings'>): OciRlimit {
  const highest = lower(hard, host.rlimitCeilings[type]?.hard ?? RLIMIT_INFINITY);
  return { type, soft: lower(soft, highest), hard: highest };
}

function lower(one: number | bigint, other: number | bigint): number | bigint {
  return one < other ? one : other;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly size?: { readonly height: number; readonly width: number };
}

/**
 * The process of an exec in a running container (process.json of `runc exec --process`): user, environment, limits and
 * confinement are those of the container's first process.
 * @throws DaemonError InvalidArgument for an empty command.
 */
export function execProcess(container: OciProcess, options: ExecOptions): OciProcess {
  const { consoleSize: _initial, ...inherited } = container;
  if (options.command[0] === undefined || options.command[0] === '')
    throw new DaemonError('InvalidArgument', 'exec: command is empty, must name a program');
  const hasTerm = inherited.env.some((entry) => entry.startsWith('TERM='));
  return {
    ...inherited,
    terminal: options.tty,
    ...(options.tty && options.size !== undefined ? { consoleSize: options.size } : {}),
    args: options.command,
    env: options.tty && !hasTerm ? [...inherited.env, 'TERM=xterm'] : inherited.env,
  };
}
