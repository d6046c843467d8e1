import { Argument } from 'commander';
import type { Command } from 'commander';
import type { CliIo } from './io.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** `completion SHELL`, and what its scripts run at each press of the key. */
export function addCompletion(podwright: Command, io: CliIo): void {
  podwright
    .command('completion')
    .description('print the completion of commands, options, values and names for a shell')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number]) => {
      io.stdout.write((await import('./completion-scripts.ts')).SCRIPTS[shell]);
    });
  podwright
    .command('complete', { hidden: true })
    .description('print what may follow on a command line: its kind, then a word and what it is on each line')
    .argument('[WORD...]', 'the words behind the name of the program, up to the cursor')
    .action(async (words: readonly string[]) => {
      io.stdout.write(await (await import('./completion-answer.ts')).completionAnswer(podwright, words));
    });
}
