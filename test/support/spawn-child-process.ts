import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { errnoError } from '../../src/linux/libc.ts';
import { PreparedStdio } from '../../src/linux/spawn-stdio.ts';
import type { ChildProcess, SpawnOptions as NodeSpawnOptions } from 'node:child_process';
import type { ExitStatus } from '../../src/linux/children.ts';
import type { Child, SpawnOptions } from '../../src/linux/spawn-stdio.ts';
import { constants as osConstants } from 'node:os';

/**
 * What spawnPosix does, by child_process: the tests compare both. It forks, so its cost grows with our memory. libuv passes
 * descriptors on that lack CLOEXEC.
 */
export function spawnChildProcess(path: string, options: SpawnOptions): Child {
  const stdio = new PreparedStdio(options.stdio ?? []);
  let child: ChildProcess;
  try {
    const nodeOptions: NodeSpawnOptions = {
      env: { ...(options.env ?? process.env) },
      stdio: stdio.childFds.map((fd) => fd ?? 'ignore'),
      detached: options.newSession === true,
    };
    if (options.cwd !== undefined) nodeOptions.cwd = options.cwd;
    child = spawn(path, options.args, nodeOptions);
    child.on('error', () => undefined); // told by the throw below
    if (child.pid === undefined) throw whyNotSpawned(path, options.cwd);
  } catch (error) {
    stdio.closeOurs();
    throw error;
  } finally {
    stdio.closeChilds();
  }
  return { pid: child.pid, exit: exitOf(child), pipes: stdio.open() };
}

function exitOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      if (signal !== null) resolve({ signal: osConstants.signals[signal] });
      else resolve({ code: code ?? -1 });
    });
  });
}

/** child_process tells why it could not spawn only in a later turn; this finds the common reasons at once. */
function whyNotSpawned(path: string, cwd: string | undefined): Error {
  try {
    if (cwd !== undefined) accessSync(cwd, constants.X_OK);
    accessSync(path, constants.X_OK);
    if (statSync(path).isDirectory()) return errnoError('spawn', path, osConstants.errno.EACCES);
  } catch (error) {
    return error as Error;
  }
  return errnoError('spawn', path, osConstants.errno.EAGAIN);
}
