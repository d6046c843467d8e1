/** What `podwright` exits with (docs/cli.md). */
export const EXIT = {
  ok: 0,
  /** The work was refused or failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The configuration is wrong. */
  config: 3,
  /** No daemon answers on the admin socket. */
  noDaemon: 4,
  /** `check` or `image verify` found something, or `config migrate` lost something. */
  found: 5,
  /** SIGINT or SIGTERM has canceled the work: as shells have it for SIGINT. */
  interrupted: 130,
} as const;

/** Ends a command with an exit code; the message goes to standard error. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
