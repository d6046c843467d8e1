/** A manual page in the macros of man(7), as groff and mandoc read them. */
export class RoffPage {
  readonly #lines: string[];

  /** @param section 5 for files, 8 for programs of the administrator */
  constructor(name: string, section: 5 | 8, about: string, source: string) {
    this.#lines = [
      `.TH ${quoted(name.toUpperCase())} ${section} "" ${quoted(source)} "Podwright"`,
      // As groff's own page on portability has it: no hyphens in commands, and a ragged right margin.
      '.nh',
      '.ad l',
      '.SH NAME',
      `${text(name)} \\- ${text(about)}`,
    ];
  }

  section(title: string): this {
    this.#lines.push(`.SH ${quoted(title.toUpperCase())}`);
    return this;
  }

  subsection(title: string): this {
    this.#lines.push(`.SS ${quoted(title)}`);
    return this;
  }

  paragraph(words: string): this {
    return this.#block(line(words));
  }

  /** A command as it is written. */
  synopsis(words: string): this {
    return this.#block(bold(words));
  }

  /** A term in bold, which may be broken behind a dot, with its meaning below it, each line of which begins a new one. */
  entry(term: string, ...meaning: readonly string[]): this {
    const [first = '', ...more] = meaning.filter((words) => words !== '');
    this.#lines.push('.TP', bold(term).replaceAll('.', '.\\:'), first === '' ? '\\&' : line(first));
    for (const words of more) this.#lines.push('.br', line(words));
    return this;
  }

  #block(words: string): this {
    const isFirst = this.#lines.at(-1)?.startsWith('.S') === true; // a heading has its own space
    this.#lines.push(...(isFirst ? [] : ['.PP']), words);
    return this;
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

function bold(words: string): string {
  return `\\fB${text(words)}\\fR`;
}

/** A dot or an apostrophe would begin a request where it begins a line. */
function line(words: string): string {
  const safe = marked(words);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}

/** The argument of a macro. */
function quoted(words: string): string {
  return `"${text(words).replaceAll('"', '\\(dq')}"`;
}

/** groff_char(7): these have another meaning, or are drawn as another character; the rest of ASCII stands for itself. */
const CHARACTERS: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** What is between backticks is bold. */
function marked(words: string): string {
  return words
    .split('`')
    .map((part, index) => (index % 2 === 0 || part === '' ? text(part) : bold(part)))
    .join('');
}

function text(words: string): string {
  return words
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\\-'`^~]/g, (character) => CHARACTERS[character] ?? character)
    .replaceAll(/[^\x20-\x7e]/gu, (character) => `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}
