import { runCli } from './cli/cli.ts';
import { serve } from './daemon/serve.ts';

process.exitCode = await runCli(process.argv.slice(2), { serve }, process);
