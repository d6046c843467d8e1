import { runCli } from './cli/cli.ts';

/** Every command but `serve`, which bin/podwright has src/main.ts for: to load the daemon takes longer than to answer most of them. */
process.exitCode = await runCli(
  process.argv.slice(2),
  { serve: () => Promise.reject(new Error('this build has no daemon: run bin/podwright serve')) },
  process,
);
