import { runCli } from './cli/cli.ts';
import { serve } from './daemon/serve.ts';

const exitCode = await runCli(process.argv.slice(2), { serve }, process);
// Monitors outlive the daemon; as its children they would otherwise keep it alive.
if (process.argv[2] === 'serve') process.exit(exitCode);
process.exitCode = exitCode;
