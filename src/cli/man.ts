import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { textOption } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { HeldArgument } from './held-argument.ts';
import type { CliIo } from './io.ts';
import type { ManualPage } from './manual.ts';

/** `man`: the manual of this version, from the same tables as the commands and the configuration. */
export function addMan(podwright: Command, io: CliIo): void {
  podwright
    .command('man')
    .description('print a page of the manual, for man -l -')
    .addArgument(new HeldArgument('[PAGE...]', 'podwright(8), podwright.toml(5), or a command such as image pull', ['manual page']))
    .option('-o, --output <DIR>', 'write all pages below it instead, as man5/podwright.toml.5, man8/podwright.8, ...')
    .action(async (words: readonly string[], options: Options) => {
      const { manualPages } = await import('./manual.ts');
      const pages = manualPages(podwright);
      const directory = textOption(options, 'output');
      if (directory === undefined) io.stdout.write(pageOf(pages, words).print());
      else if (words.length > 0) throw new CliError(EXIT.usage, 'man: --output writes all pages, so no PAGE may be given');
      else await writePages(pages, directory, io);
    });
}

function pageOf(pages: readonly ManualPage[], words: readonly string[]): ManualPage {
  const name = words.join('-').replace(/\([58]\)$/, '');
  const wanted = ['podwright', 'podwright.toml'].includes(name) || name.startsWith('podwright-') ? name : `podwright-${name}`;
  const page = pages.find((each) => each.name === (words.length === 0 ? 'podwright' : wanted));
  if (page !== undefined) return page;
  throw new CliError(EXIT.usage, `man: is "${words.join(' ')}", must be one of ${pages.map((each) => each.name).join(', ')}`);
}

async function writePages(pages: readonly ManualPage[], directory: string, io: CliIo): Promise<void> {
  for (const page of pages) {
    const file = join(directory, `man${page.section}`, `${page.name}.${page.section}`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, page.print());
    io.stdout.write(`${file}\n`);
  }
}
