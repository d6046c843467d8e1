import { setTimeout as sleep } from 'node:timers/promises';
import type { CriClient } from './cri-client.ts';
import { cutText } from './fit-table.ts';
import { jsonLine, jsonText, widthOf } from './io.ts';
import type { CliIo } from './io.ts';
import { withRestored } from './restore-terminal.ts';
import type { SortKey } from './sort-keys.ts';
import { reportOf } from './top-report.ts';
import type { TopReport } from './top-report.ts';
import { TopReader } from './top-sample.ts';
import type { Sample } from './top-sample.ts';
import { topText } from './top-text.ts';

export interface TopOptions {
  readonly once: boolean;
  readonly json: boolean;
  readonly intervalMs: number;
  readonly sort: SortKey;
}

/** The first figures come after this time, however long the interval is, milliseconds. */
const FIRST_INTERVAL_MS = 1000;

/** Shows what pods and containers use: on a terminal a table that is renewed, elsewhere one table or line of JSON after the other. */
export async function runTop(runtime: CriClient['runtime'], options: TopOptions, io: CliIo): Promise<void> {
  const isPlain = io.stdout.isTTY !== true || process.env['TERM'] === 'dumb';
  if (options.once || options.json || isPlain) await printReports(runtime, options, io);
  else await new LiveTop(runtime, options, io).run();
}

async function printReports(runtime: CriClient['runtime'], { once, json, intervalMs, sort }: TopOptions, io: CliIo): Promise<void> {
  const reader = new TopReader(runtime);
  let before = await reader.read();
  for (let waitMs = Math.min(intervalMs, FIRST_INTERVAL_MS); ; waitMs = intervalMs) {
    await sleep(waitMs);
    const now = await reader.read();
    const report = reportOf(before, now, sort);
    before = now;
    if (json) io.stdout.write(once ? jsonText(report) : jsonLine(report));
    else io.stdout.write(plainText(report, widthOf(io), once));
    if (once) return;
  }
}

function plainText(report: TopReport, width: number | undefined, once: boolean): string {
  const { summary, titles, lines } = topText(report, width);
  return `${[...summary, '', titles, ...lines, ...(once ? [] : [''])].join('\n')}\n`;
}

/** terminfo's smcup with civis, rmcup with cnorm; then ways to write over what is there without flicker. */
const SCREEN = {
  enter: '\u001b[?1049h\u001b[?25l',
  leave: '\u001b[?25h\u001b[?1049l',
  home: '\u001b[H',
  clearLine: '\u001b[K',
  clearBelow: '\u001b[J',
};

const SORT_BY_KEY: Readonly<Record<string, SortKey>> = {
  c: 'cpu',
  m: 'memory',
  p: 'processes',
  r: 'rx',
  t: 'tx',
  h: 'throttled',
  o: 'oom',
  n: 'name',
};
const HELP = 'q quit  sort: c cpu  m mem  p proc  r rx  t tx  h thr  o oom  n name';
const KEYS = {
  quit: ['q', 'Q', '\u0003'],
  up: ['\u001b[A', 'k'],
  down: ['\u001b[B', 'j'],
  pageUp: ['\u001b[5~'],
  pageDown: ['\u001b[6~', ' '],
};
const DEFAULT_ROWS = 24;

/** The table on a terminal. */
class LiveTop {
  readonly #reader: TopReader;
  readonly #intervalMs: number;
  readonly #io: CliIo;
  readonly #ended = new AbortController();
  #sort: SortKey;
  #before: Sample | undefined;
  #now: Sample | undefined;
  /** How many lines of the table are above what is seen. */
  #above = 0;

  constructor(runtime: CriClient['runtime'], { intervalMs, sort }: TopOptions, io: CliIo) {
    this.#reader = new TopReader(runtime);
    this.#intervalMs = intervalMs;
    this.#sort = sort;
    this.#io = io;
  }

  async run(): Promise<void> {
    const { stdin, stdout } = this.#io;
    const onKey = (key: Buffer | string): void => {
      this.#press(String(key));
    };
    const onResize = (): void => {
      this.#draw();
    };
    this.#now = await this.#reader.read(); // before the screen is taken: a daemon that does not answer is said in the usual place
    const restore = (): void => {
      if (stdin.isTTY === true) stdin.setRawMode?.(false);
      stdout.write(SCREEN.leave);
    };
    if (stdin.isTTY === true) stdin.setRawMode?.(true);
    stdout.write(SCREEN.enter);
    stdin.on('data', onKey);
    stdout.on('resize', onResize);
    try {
      await withRestored(restore, async () => this.#renew());
    } finally {
      stdout.off('resize', onResize);
      stdin.destroy(); // else it keeps the process
    }
  }

  async #renew(): Promise<void> {
    const { signal } = this.#ended;
    try {
      for (let waitMs = Math.min(this.#intervalMs, FIRST_INTERVAL_MS); ; waitMs = this.#intervalMs) {
        this.#draw();
        await sleep(waitMs, undefined, { signal });
        const now = await this.#reader.read(signal);
        this.#before = this.#now;
        this.#now = now;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #press(key: string): void {
    const page = Math.max(1, this.#roomForLines() - 1);
    if (KEYS.quit.includes(key)) this.#ended.abort();
    else if (KEYS.up.includes(key)) this.#above -= 1;
    else if (KEYS.down.includes(key)) this.#above += 1;
    else if (KEYS.pageUp.includes(key)) this.#above -= page;
    else if (KEYS.pageDown.includes(key)) this.#above += page;
    else this.#sort = SORT_BY_KEY[key] ?? this.#sort;
    this.#draw();
  }

  /** What the screen has besides the table's lines: three of summary, an empty one, the titles, and the help. */
  #roomForLines(): number {
    return Math.max(1, (this.#io.stdout.rows ?? DEFAULT_ROWS) - 6);
  }

  #draw(): void {
    if (this.#now === undefined || this.#ended.signal.aborted) return;
    const width = widthOf(this.#io) ?? 80;
    const { summary, titles, lines } = topText(reportOf(this.#before, this.#now, this.#sort), width);
    const room = this.#roomForLines();
    this.#above = Math.max(0, Math.min(this.#above, lines.length - room));
    const seen = lines.slice(this.#above, this.#above + room);
    const hidden = lines.length - seen.length;
    const head = `podwright top  every ${this.#intervalMs / 1000} s  by ${this.#sort}`;
    const foot = hidden === 0 ? HELP : `lines ${this.#above + 1} to ${this.#above + seen.length} of ${lines.length}  up down  ${HELP}`;
    const padding = new Array<string>(Math.max(0, room - seen.length)).fill('');
    const screen = [cutText(head, width, 'start'), ...summary, '', titles, ...seen, ...padding, cutText(foot, width, 'start')];
    this.#io.stdout.write(`${SCREEN.home}${screen.map((line) => line + SCREEN.clearLine).join('\r\n')}${SCREEN.clearBelow}`);
  }
}
