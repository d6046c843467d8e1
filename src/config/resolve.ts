import { access, constants, statfs } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { unlessMissing } from '../base/errors.ts';
import { DiskLayout } from './disk-layout.ts';
import { handlerDefaults } from './overlay.ts';
import type { Config, RuntimeHandlerConfig, Settings } from './schema.ts';

/** The facts of this machine that decide settings which are left open. */
export interface Host {
  /** systemd is process 1 and all controllers are on cgroup v2. */
  readonly systemdOnCgroup2: boolean;
  /** All controllers are on cgroup v2. */
  readonly cgroup2: boolean;
  /** Where programs are looked for, in this order. */
  readonly programDirs: readonly string[];
  /** `linux/amd64`. */
  readonly platform: string;
}

/** The value of runtime.default that leaves the choice to the daemon. */
export const AUTO = 'auto';
/** Of the runtimes that "auto" chooses from the one that is no handler by itself. */
const CRUN = 'crun';

/** The type of a cgroup v2 mount, statfs(2): CGROUP2_SUPER_MAGIC. */
const CGROUP2_MAGIC = 0x63677270;

/** A service manager may start us with next to no PATH. */
const USUAL_DIRS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const OCI_ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386' };

/** Looks at this machine. */
export async function detectHost(): Promise<Host> {
  const cgroup2 = (await unlessMissing(statfs('/sys/fs/cgroup'), undefined))?.type === CGROUP2_MAGIC;
  return {
    systemdOnCgroup2: cgroup2 && (await exists('/run/systemd/system')),
    cgroup2,
    programDirs: programDirs(),
    platform: `linux/${OCI_ARCHITECTURES[process.arch] ?? process.arch}`,
  };
}

/** Where programs are looked for: in our PATH, and then where a login would, whatever our PATH is. */
export function programDirs(): readonly string[] {
  const fromPath = (process.env['PATH'] ?? '').split(':').filter((directory) => isAbsolute(directory));
  return [...new Set([...fromPath, ...USUAL_DIRS])];
}

/** Decides what the settings left open. A program that is not found keeps its bare name: whoever starts it says that it is missing. */
export async function resolveSettings(settings: Settings, host: Host): Promise<Config> {
  const { cgroupManager, checkpoint, image, runtime } = settings;
  const layout = new DiskLayout(settings);
  const handlers: Record<string, RuntimeHandlerConfig> = {};
  for (const [name, handler] of Object.entries({ ...runtime.handlers, ...(await autoHandlers(runtime, host)) })) {
    handlers[name] = {
      ...handler,
      path: await findProgram(handler.path === '' ? name : handler.path, host.programDirs),
      root: handler.root === '' ? layout.runtimeRoot(name) : handler.root,
    };
  }
  return {
    ...settings,
    listenPath: settings.listenPath === '' ? layout.criSocket : settings.listenPath,
    cgroupManager: cgroupManager !== 'auto' ? cgroupManager : host.systemdOnCgroup2 ? 'systemd' : 'cgroupfs',
    conmon: await findProgram(settings.conmon, host.programDirs),
    runtime: { ...runtime, handlers },
    checkpoint: { ...checkpoint, criu: await findProgram(checkpoint.criu, host.programDirs) },
    image: { ...image, platform: image.platform === '' ? host.platform : image.platform },
  };
}

/** "auto" makes crun a handler where the node has it. */
async function autoHandlers({ default: name, handlers }: Settings['runtime'], host: Host): Promise<Settings['runtime']['handlers']> {
  if (name !== AUTO || handlers[CRUN] !== undefined || (await findProgram(CRUN, host.programDirs)) === CRUN) return {};
  return { [CRUN]: handlerDefaults() };
}

/** Where a program is; its bare name where it is not found. */
export async function findProgram(program: string, directories: readonly string[]): Promise<string> {
  if (isAbsolute(program)) return program;
  for (const directory of directories) {
    const candidate = join(directory, program);
    if (await isExecutable(candidate)) return candidate;
  }
  return program;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
