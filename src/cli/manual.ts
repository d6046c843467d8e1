import type { Command, Option } from 'commander';
import { RoffPage } from '../base/roff.ts';
import { VERSION } from '../base/version.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { DEFAULT_CONFIG_DIRECTORY, DEFAULT_CONFIG_FILE } from '../config/load.ts';
import { defaultSettings } from '../config/overlay.ts';
import { printManual } from '../config/pages.ts';
import { choicesOf, optionsOf } from './complete.ts';
import { EXIT_STATUS } from './exit-codes.ts';

/** A page of the manual. */
export interface ManualPage {
  /** `podwright-image-pull` */
  readonly name: string;
  readonly section: 5 | 8;
  readonly about: string;
  /** The page in the macros of man(7). */
  print(): string;
}

const SOURCE = `podwright ${VERSION}`;

/** Every page: of the program, of each command that is shown, and of the configuration. */
export function manualPages(podwright: Command): readonly ManualPage[] {
  const toml = {
    name: 'podwright.toml',
    section: 5,
    about: 'the configuration of podwright',
    print: () => printManual(defaultSettings(), SOURCE),
  } as const;
  return [...pagesOf(podwright), toml];
}

function pagesOf(command: Command): ManualPage[] {
  const page = {
    name: pageName(command),
    section: 8,
    about: command.parent === null ? 'a Kubernetes container runtime' : command.description(),
    print: () => (command.parent === null ? programPage(command) : commandPage(command)),
  } as const;
  return [page, ...shownCommands(command).flatMap(pagesOf)];
}

/** Without `help`, which commander adds to each group. */
function shownCommands(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => command.commands.includes(each));
}

function pageName(command: Command): string {
  return command.parent === null ? command.name() : `${pageName(command.parent)}-${command.name()}`;
}

function commandPage(command: Command): string {
  const page = new RoffPage(pageName(command), 8, command.description(), SOURCE);
  page.section('Synopsis').synopsis(command.createHelp().commandUsage(command));
  for (const alias of command.aliases()) page.paragraph(`The command may be written \`${alias}\` too.`);
  const inner = shownCommands(command);
  if (inner.length > 0) addCommands(page, inner);
  if (command.registeredArguments.length > 0) page.section('Arguments');
  for (const argument of command.registeredArguments) {
    page.entry(argument.name(), sentence(argument.description), choicesWords(argument.argChoices));
  }
  addOptions(page, command);
  addExitStatus(page);
  const parent = command.parent === null ? 'podwright' : pageName(command.parent);
  return page.section('See also').paragraph(`\`${parent}(8)\`, \`podwright.toml(5)\``).toString();
}

function programPage(podwright: Command): string {
  const page = new RoffPage('podwright', 8, 'a Kubernetes container runtime', SOURCE);
  page.section('Synopsis').synopsis('podwright serve [options]').synopsis('podwright COMMAND [options] [arguments]');
  page.section('Description');
  page.paragraph(
    '`podwright serve` is one daemon per node. It serves the Container Runtime Interface (CRI) to the kubelet on a unix socket, keeps ' +
      'images, and has an OCI runtime run containers under conmon. It holds nothing that a container needs to go on: it may be stopped, ' +
      'killed and replaced while pods run, and finds everything again. All other commands look at a running daemon, or at its node.',
  );
  addCommands(page, shownCommands(podwright));
  addOptions(page, podwright);
  addExitStatus(page);
  page.section('Signals of the daemon');
  page.entry('SIGTERM', 'Ends it. Pods and containers run on.');
  page.entry('SIGHUP', 'It reads its configuration again; `podwright.toml(5)` says which keys then take effect.');
  addFiles(page);
  return page.section('See also').paragraph('`podwright.toml(5)`, `crictl(1)`, `runc(8)`, `conmon(8)`').toString();
}

function addCommands(page: RoffPage, commands: readonly Command[]): void {
  page.section('Commands');
  for (const command of commands) page.entry(`${pageName(command)}(8)`, sentence(command.description()));
}

function addOptions(page: RoffPage, command: Command): void {
  page.section('Options');
  for (const option of optionsOf(command))
    page.entry(option.flags, sentence(option.description), defaultWords(option), choicesWords(choicesOf(option)));
}

function defaultWords({ defaultValue }: Option): string {
  return typeof defaultValue === 'string' ? `Default: \`${defaultValue}\`.` : '';
}

/** Help has its words without capital and full stop. */
function sentence(words: string): string {
  const whole = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.)]$/.test(whole) ? whole : `${whole}.`;
}

function choicesWords(choices: readonly string[] | undefined): string {
  return choices === undefined ? '' : `One of ${choices.map((each) => `\`${each}\``).join(', ')}.`;
}

function addExitStatus(page: RoffPage): void {
  page.section('Exit status');
  for (const [code, words] of EXIT_STATUS) page.entry(String(code), words);
}

function addFiles(page: RoffPage): void {
  const settings = defaultSettings();
  page.section('Files');
  page.entry(DEFAULT_CONFIG_FILE, 'The configuration.');
  page.entry(DEFAULT_CONFIG_DIRECTORY, 'Drop-ins of the configuration, `*.toml` and `*.conf`.');
  page.entry(settings.root, 'Images, layers, records of pods and containers, history.');
  page.entry(settings.runDir, 'What ends with a reboot.');
  page.entry(settings.listenPath, 'The socket of the CRI, for the kubelet and crictl.');
  page.entry(new DiskLayout(settings).adminSocket, 'The socket of the commands, for root alone.');
}
