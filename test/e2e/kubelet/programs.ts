import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs a program of this machine to its end and gives what it printed. @throws with its words where it fails. */
export async function runProgram(program: string, args: readonly string[], timeoutMs = 30_000): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: timeoutMs, killSignal: 'SIGKILL' });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
    const words = `${stdout}\n${stderr}`.trim();
    throw new Error(`${program} ${args.join(' ')}: ${words === '' ? message : words}`, { cause: error });
  }
}
