/** Most of a runtime's words that an error repeats, characters. */
const WORDS_LIMIT = 1000;
/** The levels at which a runtime says why it failed (logrus, Level). */
const ERROR_LEVELS = ['error', 'fatal', 'panic'];
/** How a Go program that dies by itself begins: package runtime. A trace of every goroutine follows. */
const GO_DEATH = /^(panic|fatal error|runtime): /;
const GO_TRACE = /^(goroutine \d+ |runtime stack:|\[signal )/;

interface Line {
  readonly level: string | undefined;
  readonly text: string;
}

/**
 * Why a runtime failed, out of all that it wrote: its errors, and what a program died of, without log prefixes. Its warnings,
 * which may come before or after, count only where there is nothing else. Runtimes write logrus' text (runc, runsc), its JSON,
 * or plain lines (crun).
 */
export function runtimeWords(output: string | Uint8Array): string {
  const lines = untilTrace(Buffer.from(output).toString().split('\n'))
    .map(parseLine)
    .filter(({ text }) => text !== '');
  const deaths = lines.filter(({ level, text }) => level === undefined && GO_DEATH.test(text));
  const errors = lines.filter(({ level }) => level !== undefined && ERROR_LEVELS.includes(level));
  const plain = lines.filter(({ level }) => level === undefined);
  const reasons = errors.length > 0 ? [...errors, ...deaths] : deaths.length > 0 ? deaths : plain.length > 0 ? plain : lines.slice(-1);
  return shorten([...new Set(reasons.map(({ text }) => text))].join('; '));
}

/** All lines but those of a trace: they end at the next line of a log. */
function untilTrace(lines: readonly string[]): string[] {
  let inTrace = false;
  return lines.filter((line) => {
    if (GO_TRACE.test(line)) inTrace = true;
    else if (parseLine(line).level !== undefined || GO_DEATH.test(line)) inTrace = false;
    return !inTrace;
  });
}

function parseLine(line: string): Line {
  const text = line.trim();
  const level = /\blevel=(\w+)/.exec(text)?.[1];
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (quoted !== undefined) return { level: level ?? 'error', text: unquote(quoted) };
  const bare = /\bmsg=(\S+)/.exec(text)?.[1];
  if (level !== undefined && bare !== undefined) return { level, text: bare };
  return parseJsonLine(text) ?? { level: undefined, text };
}

function parseJsonLine(text: string): Line | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const { level, msg } = JSON.parse(text) as { level?: unknown; msg?: unknown };
    return typeof level === 'string' && typeof msg === 'string' ? { level, text: msg.trim() } : undefined;
  } catch {
    return undefined;
  }
}

/** Go's %q; all that it shares with JSON is read as that. */
function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
      .trim()
      .replaceAll(/\s*\n\s*/g, '; ');
  } catch {
    return quoted.slice(1, -1).replaceAll('\\"', '"');
  }
}

/** The end of a text, where the reason usually is. */
function shorten(text: string): string {
  return text.length <= WORDS_LIMIT ? text : `...${text.slice(-WORDS_LIMIT)}`;
}
