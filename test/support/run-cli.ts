import { Readable, Writable } from 'node:stream';
import { runCli } from '../../src/cli/cli.ts';

/** What a command has printed, and its exit code. */
export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, with nothing on its standard input. */
export async function printedBy(args: readonly string[], host: Parameters<typeof runCli>[1]): Promise<Printed> {
  const printed = { stdout: '', stderr: '' };
  const collect = (name: keyof typeof printed): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        printed[name] += chunk.toString();
        done();
      },
    });
  const code = await runCli(args, host, { stdin: Readable.from([]), stdout: collect('stdout'), stderr: collect('stderr') });
  return { code, ...printed };
}
