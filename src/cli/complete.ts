import type { Argument, Command, Option } from 'commander';
import { configFlags } from '../config/flags.ts';
import type { Options } from './config-options.ts';
import { HeldArgument } from './held-argument.ts';
import type { Held } from './held-argument.ts';

/** A word that may stand where the cursor is. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What may stand where the cursor is. */
export type Place =
  | { readonly is: 'words'; readonly words: readonly Candidate[] }
  | { readonly is: 'files' }
  | { readonly is: 'directories' }
  /** Things of the daemon that these options lead to; to its admin socket alone, or to its CRI socket too. */
  | { readonly is: 'held'; readonly held: readonly Held[]; readonly options: Options; readonly asksAdmin: boolean };

const NOTHING: Place = { is: 'words', words: [] };

/**
 * What may follow on a command line.
 * @param words those behind the program's name up to the cursor; the last one is what is being written, and may be empty
 */
export function placeOf(podwright: Command, words: readonly string[]): Place {
  const line = new CommandLine(podwright);
  for (const word of words.slice(0, -1)) line.take(word);
  return line.place(words.at(-1) ?? '');
}

/** A command line as far as it is written. */
class CommandLine {
  #command: Command;
  #arguments = 0;
  /** The option whose value comes next. */
  #open: Option | undefined;
  #hasOptions = true;
  readonly #given: Record<string, string | readonly string[] | boolean> = {};

  constructor(podwright: Command) {
    this.#command = podwright;
  }

  take(word: string): void {
    if (this.#open !== undefined) {
      this.#give(this.#open, word);
      this.#open = undefined;
    } else if (this.#hasOptions && word.startsWith('-') && word !== '-') this.#takeOption(word);
    else this.#takeWord(word);
  }

  /** @param word what is being written */
  place(word: string): Place {
    if (this.#open !== undefined) return valuePlace(this.#open);
    const assigned = /^(--[^=]+)=/.exec(word);
    if (this.#hasOptions && assigned !== null) {
      const option = this.#option(assigned[1] ?? '');
      const place = option === undefined || !hasValue(option) ? NOTHING : valuePlace(option);
      return place.is === 'words'
        ? { is: 'words', words: place.words.map((each) => ({ ...each, word: `${assigned[0]}${each.word}` })) }
        : place;
    }
    if (this.#hasOptions && word.startsWith('-')) return this.#optionsPlace();
    if (this.#isGroup()) return { is: 'words', words: commandsOf(this.#command) };
    const argument = this.#argument();
    if (argument !== undefined) return this.#argumentPlace(argument);
    return this.#hasOptions && word === '' && this.#command.commands.length === 0 ? this.#optionsPlace() : NOTHING;
  }

  #takeOption(word: string): void {
    if (word === '--') {
      this.#hasOptions = false;
      return;
    }
    const [name = '', ...rest] = word.split('=');
    const option = this.#option(name);
    if (option === undefined) return;
    if (!hasValue(option)) this.#give(option, true);
    else if (rest.length > 0) this.#give(option, rest.join('='));
    else this.#open = option;
  }

  #takeWord(word: string): void {
    const inner = this.#isGroup()
      ? this.#command.commands.find((each) => each.name() === word || each.aliases().includes(word))
      : undefined;
    if (inner !== undefined) {
      this.#command = inner;
      return;
    }
    this.#arguments += 1;
    const next = this.#argument();
    if (next instanceof HeldArgument && next.held.includes('command line')) this.#hasOptions = false;
  }

  #isGroup(): boolean {
    return this.#arguments === 0 && this.#command.commands.length > 0;
  }

  /** The argument that comes next. */
  #argument(): Argument | undefined {
    const all = this.#command.registeredArguments;
    const last = all.at(-1);
    return all[this.#arguments] ?? (last?.variadic === true ? last : undefined);
  }

  #option(name: string): Option | undefined {
    return optionsOf(this.#command).find(({ long, short }) => name === long || name === short);
  }

  #give(option: Option, value: string | boolean): void {
    const name = option.attributeName();
    this.#given[name] = isRepeatable(option) ? [...[this.#given[name] ?? []].flat().map(String), String(value)] : value;
  }

  #optionsPlace(): Place {
    const left = optionsOf(this.#command).filter((option) => isRepeatable(option) || this.#given[option.attributeName()] === undefined);
    return { is: 'words', words: left.map(({ long, short, description }) => ({ word: long ?? short ?? '', about: description })) };
  }

  #argumentPlace(argument: Argument): Place {
    if (argument instanceof HeldArgument)
      return { is: 'held', held: argument.held, options: this.#given, asksAdmin: this.#option('--listen') === undefined };
    return placeByName(argument.name(), argument.argChoices);
  }
}

/** Visible options, with `--help`. */
export function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

/** The texts that an option's value may be, where these are few. */
export function choicesOf(option: Option): readonly string[] | undefined {
  const choices = option.argChoices ?? configFlags().find(({ name }) => name === option.long)?.choices;
  return choices === undefined || choices.length === 0 ? undefined : choices;
}

function commandsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => ({ word: each.name(), about: each.summary() === '' ? each.description() : each.summary() }));
}

function hasValue(option: Option): boolean {
  return option.required || option.optional;
}

function isRepeatable(option: Option): boolean {
  return option.variadic || configFlags().some(({ name, repeatable }) => name === option.long && repeatable === true);
}

function valuePlace(option: Option): Place {
  const [, name = ''] = /[<[]([^>\]]+)[>\]]/.exec(option.flags) ?? [];
  return placeByName(name, choicesOf(option));
}

/** By the word that stands for a value in the usage. */
function placeByName(name: string, choices: readonly string[] | undefined): Place {
  if (choices !== undefined) return { is: 'words', words: choices.map((word) => ({ word, about: '' })) };
  if (name === 'FILE' || name === 'PATH') return { is: 'files' };
  return name === 'DIR' ? { is: 'directories' } : NOTHING;
}
