import { runServe } from './cli/program.ts';
import { serve } from './daemon/serve.ts';
import { exitProcess } from './linux/kernel-threads.ts';

const exitCode = await runServe(process.argv.slice(2), { serve }, process);
// Monitors outlive the daemon; as its children they would otherwise keep it alive.
if (process.argv[2] === 'serve') exitProcess(exitCode);
process.exitCode = exitCode;
