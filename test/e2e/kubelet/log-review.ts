/**
 * What the kubelet logged, sorted into what is known (docs/kubelet.md explains each) and what is not.
 * klog's form: `E1123 17:48:53.123456   12345 file.go:123] "Message" err="..." key="..."`.
 */
export interface LogReview {
  /** How often each known message came, as "level file: message". */
  readonly known: ReadonlyMap<string, number>;
  /** Errors and warnings that no rule knows, one example each, with their number. */
  readonly unknown: ReadonlyMap<string, { readonly count: number; readonly example: string }>;
}

interface Rule {
  readonly about: string;
  readonly pattern: RegExp;
}

/** The rows of docs/kubelet.md. */
const KNOWN: readonly Rule[] = [];

const LINE = /^([EWF])\d{4} [\d:.]+\s+\d+ (\S+?):\d+\] (.*)$/;

export function reviewLog(text: string): LogReview {
  const known = new Map<string, number>();
  const unknown = new Map<string, { count: number; example: string }>();
  for (const line of text.split('\n')) {
    const [, level = '', file = '', message = ''] = LINE.exec(line) ?? [];
    if (level === '') continue;
    const rule = KNOWN.find(({ pattern }) => pattern.test(line));
    if (rule !== undefined) {
      known.set(rule.about, (known.get(rule.about) ?? 0) + 1);
      continue;
    }
    const title = /^"([^"]*)"/.exec(message)?.[1] ?? message.slice(0, 80);
    const key = `${level} ${file}: ${title}`;
    unknown.set(key, { count: (unknown.get(key)?.count ?? 0) + 1, example: line });
  }
  return { known, unknown };
}
