import { runCli } from './cli/cli.ts';

/** Of a program that SIGPIPE has ended, as a shell says it. */
const NOBODY_READS = 141;

// `podwright logs NAME | head`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(NOBODY_READS);
});
/** Every command but `serve`, which bin/podwright has src/main.ts for: to load the daemon takes longer than to answer most of them. */
process.exitCode = await runCli(
  process.argv.slice(2),
  { serve: () => Promise.reject(new Error('this build has no daemon: run bin/podwright serve')) },
  process,
);
// What hangs (a program that check has left behind, a read of a dead disk) must not keep a command that has said all.
setTimeout(() => {
  void import('./linux/kernel-threads.ts').then(({ exitWithoutWaiting }) => {
    exitWithoutWaiting(Number(process.exitCode ?? 0));
  });
}, 1_000).unref();
