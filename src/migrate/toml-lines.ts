/**
 * The line on which each key of a TOML text is set, from 1, by its path as {@link pathKey} writes it; tables have the line of their header.
 * The text must be one that a TOML parser has taken: nothing is checked here. TOML v1.1.0.
 */
export function linesOfKeys(text: string): ReadonlyMap<string, number> {
  return new Scanner(text).scan();
}

/** A path of keys as one text. */
export function pathKey(path: readonly string[]): string {
  return JSON.stringify(path);
}

class Scanner {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  /** How many tables an array of tables has so far. */
  readonly #counts = new Map<string, number>();
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): ReadonlyMap<string, number> {
    let table: readonly string[] = [];
    this.#skipBlank();
    while (this.#at < this.#text.length) {
      if (this.#next() === '[') table = this.#header();
      else this.#setting(table);
      this.#skipBlank();
    }
    return this.#lines;
  }

  #next(): string {
    return this.#text[this.#at] ?? '';
  }

  /** Goes on by `count` characters, and counts the lines that end in them. */
  #skip(count: number): void {
    for (let index = 0; index < count; index += 1) {
      if (this.#next() === '\n') this.#line += 1;
      this.#at += 1;
    }
  }

  #skipBlank(): void {
    for (;;) {
      if (this.#next() === '#') while (this.#at < this.#text.length && this.#next() !== '\n') this.#at += 1;
      else if (/^[\s\uFEFF]$/.test(this.#next())) this.#skip(1);
      else return;
    }
  }

  #header(): readonly string[] {
    const isArray = this.#text.startsWith('[[', this.#at);
    this.#skip(isArray ? 2 : 1);
    const name = this.#key();
    let path = isArray ? [...this.#resolve(name.slice(0, -1)), ...name.slice(-1)] : this.#resolve(name);
    if (isArray) {
      const count = this.#counts.get(pathKey(path)) ?? 0;
      this.#counts.set(pathKey(path), count + 1);
      path = [...path, String(count)];
    }
    this.#lines.set(pathKey(path), this.#line);
    this.#skipBlank();
    this.#skip(isArray ? 2 : 1);
    return path;
  }

  /** The same path with the last table of each array of tables that it goes through. */
  #resolve(name: readonly string[]): string[] {
    const path: string[] = [];
    for (const part of name) {
      path.push(part);
      const count = this.#counts.get(pathKey(path));
      if (count !== undefined) path.push(String(count - 1));
    }
    return path;
  }

  #setting(table: readonly string[]): void {
    const line = this.#line;
    const path = [...table, ...this.#key()];
    this.#lines.set(pathKey(path), line);
    this.#skipBlank();
    this.#skip(1); // =
    this.#skipBlank();
    this.#value(path);
  }

  #key(): string[] {
    const parts: string[] = [];
    for (;;) {
      this.#skipBlank();
      parts.push(this.#quoted() ?? this.#bare(/[\w-]/));
      this.#skipBlank();
      if (this.#next() !== '.') return parts;
      this.#skip(1);
    }
  }

  #bare(allowed: RegExp): string {
    const from = this.#at;
    while (this.#at < this.#text.length && allowed.test(this.#next())) this.#at += 1;
    if (this.#at === from) this.#skip(1); // no valid TOML: go on all the same
    return this.#text.slice(from, this.#at);
  }

  /** A string of one line or several; undefined where none begins here. */
  #quoted(): string | undefined {
    const quote = this.#next();
    if (quote !== '"' && quote !== "'") return undefined;
    const fence = this.#text.startsWith(quote.repeat(3), this.#at) ? quote.repeat(3) : quote;
    this.#skip(fence.length);
    const from = this.#at;
    while (this.#at < this.#text.length && !this.#text.startsWith(fence, this.#at))
      this.#skip(quote === '"' && this.#next() === '\\' ? 2 : 1);
    const inner = this.#text.slice(from, this.#at);
    this.#skip(fence.length);
    while (fence.length === 3 && this.#next() === quote) this.#skip(1); // up to two quotes may stand before the fence
    return quote === '"' ? unescaped(inner) : inner;
  }

  #value(path: readonly string[]): void {
    if (this.#quoted() !== undefined) return;
    if (this.#next() === '[')
      this.#elements(']', (index) => {
        this.#value([...path, String(index)]);
      });
    else if (this.#next() === '{')
      this.#elements('}', () => {
        this.#setting(path);
      });
    else this.#bare(/[^\s,\]}#]/);
  }

  #elements(end: string, element: (index: number) => void): void {
    this.#skip(1);
    for (let index = 0; this.#at < this.#text.length; index += 1) {
      this.#skipBlank();
      if (this.#next() === end) break;
      element(index);
      this.#skipBlank();
      if (this.#next() === ',') this.#skip(1);
    }
    this.#skip(1);
  }
}

function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}
