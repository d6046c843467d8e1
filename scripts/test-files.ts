/** Runs test files under node's runner, and keeps what became of each test. */
import { once } from 'node:events';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import type { EventData } from 'node:test';

export const REPOSITORY = join(import.meta.dirname, '..');
/** Most one test may take that has no limit of its own, milliseconds. A file has none here: node's runner waits for its process. */
const TEST_TIMEOUT_MS = 8 * 60_000;
/** Keeps what V8 made of a module, by its content: every file of tests and every daemon from source starts in half the time. */
process.env['NODE_COMPILE_CACHE'] ??= join(REPOSITORY, 'node_modules/.cache/compiled');
/** What test/support/standstills.ts prints at the end of a file. */
const STANDSTILL = /^longest standstill: (\d+) ms: .*$/m;

export interface Outcome {
  readonly file: string;
  readonly name: string;
  readonly durationMs: number;
  readonly failure?: string;
  readonly skipped?: string;
}

export interface RunOptions {
  /** Only tests whose name matches this pattern. */
  readonly name?: string | undefined;
  /** Most one test may take, milliseconds, and a minute or two more a file that runs in a lane. */
  readonly timeoutMs?: number | undefined;
}

export interface FilesResult {
  readonly outcomes: readonly Outcome[];
  /** The longest standstill of a daemon's event loop that one of the files has told. */
  readonly standstill: { readonly ms: number; readonly line: string };
}

/** Hears what comes of the files while they run. */
export interface Listener {
  /** Takes what is to be printed. */
  readonly say: (text: string) => void;
  readonly found?: (outcome: Outcome) => void;
  /** Whether a test is under way or waits for its turn. */
  readonly busy?: (isBusy: boolean) => void;
}

/** Runs files, `concurrency` of them at once. */
export async function runFiles(
  files: readonly string[],
  concurrency: number,
  options: RunOptions,
  { say, found, busy }: Listener,
): Promise<FilesResult> {
  const outcomes: Outcome[] = [];
  let standstill = { ms: 0, line: '' };
  const stream = run({
    files: [...files],
    concurrency,
    timeout: options.timeoutMs ?? TEST_TIMEOUT_MS,
    ...(options.name === undefined ? {} : { testNamePatterns: [new RegExp(options.name)] }),
  });
  const finished = (data: EventData.TestPass | EventData.TestFail): void => {
    // A test that a helper registers is reported with the helper's file.
    const outcome = outcomeOf(data, files.length === 1 ? files[0] : data.file);
    if (outcome === undefined) return;
    outcomes.push(outcome);
    found?.(outcome);
    say(textOf(outcome));
  };
  const said = ({ message }: { message: string }): void => {
    say(message);
    const [line = '', ms] = STANDSTILL.exec(message) ?? [];
    if (Number(ms) > standstill.ms) standstill = { ms: Number(ms), line };
  };
  const noted = ({ message }: { message: string }): void => {
    // The runner's own counts come this way too; ours are in the closing line.
    if (!/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message)) say(`note ${message}\n`);
  };
  let open = 0;
  const counted = (step: number, { name, nesting }: { name: string; nesting: number }): void => {
    // A subtest that is cancelled with its parent may complete twice; the runner counts the file as a test too.
    if (nesting > 0 || files.includes(name)) return;
    open += step;
    busy?.(open > 0);
  };
  stream.on('test:enqueue', (data) => {
    counted(1, data);
  });
  stream.on('test:complete', (data) => {
    counted(-1, data);
  });
  stream.on('test:diagnostic', noted);
  stream.on('test:pass', finished).on('test:fail', finished).on('test:stdout', said).on('test:stderr', said);
  stream.resume();
  await once(stream, 'end');
  return { outcomes, standstill };
}

/** What one event says; nothing for a suite, or for a test that only passes its subtests' failure on. */
function outcomeOf(data: EventData.TestPass | EventData.TestFail, from: string | undefined): Outcome | undefined {
  const file = relative(REPOSITORY, from ?? '');
  const { details } = data;
  const error = 'error' in details ? details.error : undefined;
  const isFileItself = data.name === data.file || join(REPOSITORY, data.name) === data.file;
  if (error === undefined && (details.type === 'suite' || isFileItself)) return undefined;
  const kind = (error as { failureType?: string } | undefined)?.failureType;
  if (kind === 'subtestsFailed') return undefined;
  const outcome = { file, name: isFileItself ? '(the file itself)' : data.name, durationMs: details.duration_ms };
  if (data.skip !== undefined && data.skip !== false) return { ...outcome, skipped: data.skip === true ? 'no reason given' : data.skip };
  return error === undefined ? outcome : { ...outcome, failure: describe(error) };
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.stack ?? cause.message;
}

function textOf(outcome: Outcome): string {
  const mark = outcome.failure !== undefined ? 'FAIL' : outcome.skipped !== undefined ? 'skip' : 'ok  ';
  const why = outcome.skipped === undefined ? '' : ` (${outcome.skipped})`;
  const line = `${mark} ${outcome.file}: ${outcome.name}${why} ${(outcome.durationMs / 1000).toFixed(2)} s\n`;
  return outcome.failure === undefined ? line : `${line}${outcome.failure.replaceAll(/^/gm, '     ')}\n`;
}
