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
  /** `check`, `image verify` or `runtimeclass` found something, or `config migrate` lost something. */
  found: 5,
  /** SIGINT or SIGTERM has canceled the work: as shells have it for SIGINT. */
  interrupted: 130,
} as const;

/** The same in words, for the manual; `exec` alone ends with what its command ended with. */
export const EXIT_STATUS: readonly (readonly [code: number, words: string])[] = [
  [EXIT.ok, 'Done.'],
  [EXIT.failed, 'The work was refused or failed; standard error has the words of the daemon.'],
  [EXIT.usage, 'The command line is wrong.'],
  [EXIT.config, 'The configuration is wrong: every problem is listed with its file and key.'],
  [EXIT.noDaemon, 'No daemon answers on its socket.'],
  [
    EXIT.found,
    '`podwright check` found an error or a leak, `podwright image verify` a damaged layer; `podwright config migrate` lost something.',
  ],
  [EXIT.interrupted, 'Interrupted: the work was canceled.'],
  [141, 'Nobody reads its standard output any more.'],
];

/** Ends a command with an exit code; the message goes to standard error. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
