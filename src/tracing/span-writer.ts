/** Which span it is, as W3C Trace Context has it: hexadecimal digits. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** What a span has when it begins. Times are milliseconds since 1970, with fractions. */
export interface SpanStart {
  readonly name: string;
  readonly startedAtMs: number;
  /** Whether it is a call that somebody made. */
  readonly isCall: boolean;
  /** The caller's `traceparent`; without one, and without a parent, it begins a trace of its own. */
  readonly traceparent?: string | undefined;
  readonly parent?: SpanIds | undefined;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface SpanEnd {
  readonly endedAtMs: number;
  /** Why it failed. */
  readonly error?: string | undefined;
  readonly attributes?: Readonly<Record<string, string | number>>;
}

export interface OpenSpan {
  readonly ids: SpanIds;
  /** Something that happened during it. */
  event(words: string, atMs: number): void;
  end(end: SpanEnd): void;
}

/** Takes spans and sends them off, or drops them: nobody waits for it. */
export interface SpanWriter {
  /** @returns undefined where the trace is not among those that are kept. */
  start(span: SpanStart): OpenSpan | undefined;
  /** Sends what is left, for a moment. */
  close(): Promise<void>;
}
