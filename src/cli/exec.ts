import type { Config } from '../config/schema.ts';
import type { CriClient } from './cri-client.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { listObjects, oneContainerOf } from './find-object.ts';
import type { CliIo } from './io.ts';
import { runRemoteCommand } from './remote-command.ts';
import type { TerminalSize } from './remote-command.ts';
import { withRestored } from './restore-terminal.ts';
import { pinnedTls, type ClientCertificate } from './stream-tls.ts';

export interface ExecOptions {
  /** Hands our standard input on. */
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly clientCertificate?: ClientCertificate | undefined;
}

const STDIN = 0;

/** Runs a command in a container. @returns its exit code */
export async function execInContainer(
  { runtime }: Pick<CriClient, 'runtime'>,
  { stream }: Pick<Config, 'stream'>,
  words: string,
  command: readonly string[],
  { interactive, tty, clientCertificate }: ExecOptions,
  io: CliIo,
): Promise<number> {
  if (command.length === 0) throw new CliError(EXIT.usage, 'exec: no command is given');
  const { container } = oneContainerOf(await listObjects(runtime), words);
  const request = { containerId: container.id, cmd: command, tty, stdin: interactive, stdout: true, stderr: !tty };
  const { url } = await runtime.exec(request);
  const remote = {
    url,
    tls: url.startsWith('https:') ? await pinnedTls(stream, clientCertificate) : undefined,
    stdin: interactive ? io.stdin : undefined,
    stdout: io.stdout,
    stderr: io.stderr,
    sizes: tty ? terminalSizes(io.stdout) : undefined,
  };
  try {
    if (!tty || !interactive || io.stdin.isTTY !== true) return await runRemoteCommand(remote);
    const { makeRaw } = await import('../linux/terminal-mode.ts');
    return await withRestored(makeRaw(STDIN), async () => runRemoteCommand(remote)); // every key is the container's, ctrl-C too
  } finally {
    if (interactive) io.stdin.destroy(); // a read that goes on would keep us running
  }
}

/** The size of our terminal now, and each later one, until the function that it returns is called. */
function terminalSizes(stdout: CliIo['stdout']): ((tell: (size: TerminalSize) => void) => () => void) | undefined {
  if (stdout.isTTY !== true) return undefined;
  return (tell) => {
    const told = (): void => {
      const { columns = 0, rows = 0 } = stdout;
      if (columns > 0 && rows > 0) tell({ width: columns, height: rows });
    };
    told();
    stdout.on('resize', told);
    return () => stdout.off('resize', told);
  };
}
