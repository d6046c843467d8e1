import type { CliIo } from './io.ts';

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** Lines of a terminal that are drawn again in their place. */
export class Redraw {
  readonly #stdout: CliIo['stdout'];
  #lines: readonly string[] = [];

  constructor(stdout: CliIo['stdout']) {
    this.#stdout = stdout;
  }

  get columns(): number {
    return this.#stdout.columns ?? DEFAULT_COLUMNS;
  }

  get rows(): number {
    return this.#stdout.rows ?? DEFAULT_ROWS;
  }

  /** Draws in place of what was drawn last. Lines must be shorter than {@link columns}, and fewer than {@link rows}. */
  draw(lines: readonly string[]): void {
    // A terminal that was made narrower has broken the lines that were there.
    const height = this.#lines.reduce((sum, line) => sum + Math.max(Math.ceil(line.length / this.columns), 1), 0);
    const up = height === 0 ? '' : `\u001b[${height}A`;
    const text = lines.map((line) => `${line}\u001b[K\n`).join('');
    this.#stdout.write(`${up}\r${text}\u001b[J`);
    this.#lines = lines;
  }

  /** What comes next is drawn below what is there. */
  forget(): void {
    this.#lines = [];
  }
}
