import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

/** `sent`: the receiver has it; `dropped`: more came than left; `failed`: the receiver did not take it. */
export type SpanFate = 'sent' | 'dropped' | 'failed';

/** Spans that wait to be sent, at most. A pod with one container is some forty. */
const MOST_WAITING = 4096;
/** Spans of one request. */
const BATCH = 256;
/** ExportResultCode of @opentelemetry/core. */
const SUCCESS = 0;
/** How long spans are gathered, and the pause after a request that failed, milliseconds. */
const GATHER_MS = 1_000;
/** How long the end of the daemon waits for what is left, milliseconds. */
const LAST_MS = 1_000;

/**
 * Spans on their way out: a bounded queue, and one request at a time. What is too many is dropped and counted; a receiver that hangs or is
 * down costs no more than the queue. No timer runs while it is empty.
 */
export class SpanQueue implements SpanProcessor {
  readonly #exporter: SpanExporter;
  readonly #tell: (fate: SpanFate, count: number, why?: string) => void;
  readonly #waiting: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<boolean> | undefined;
  #isOver = false;

  constructor(exporter: SpanExporter, tell: (fate: SpanFate, count: number, why?: string) => void) {
    this.#exporter = exporter;
    this.#tell = tell;
  }

  onStart(): void {
    // Only what has ended is sent.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#isOver || this.#waiting.length >= MOST_WAITING) {
      this.#tell('dropped', 1);
      return;
    }
    this.#waiting.push(span);
    this.#arm();
  }

  async forceFlush(): Promise<void> {
    while ((this.#waiting.length > 0 || this.#sending !== undefined) && (await this.#send())) {
      // The next batch.
    }
  }

  async shutdown(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_MS).unref());
    await Promise.race([this.forceFlush(), late]);
    if (this.#waiting.length > 0) this.#tell('dropped', this.#waiting.length);
    // It waits for a request under way, which may hang.
    void this.#exporter.shutdown().catch(() => undefined);
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#sending !== undefined || this.#isOver) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#sendAll();
    }, GATHER_MS).unref();
  }

  async #sendAll(): Promise<void> {
    while (await this.#send()) if (this.#waiting.length < BATCH) break; // these are gathered again
    if (this.#waiting.length > 0) this.#arm();
  }

  /** Sends one batch; where one is under way, waits for that. @returns whether the receiver took it. */
  async #send(): Promise<boolean> {
    this.#sending ??= this.#sendBatch(this.#waiting.splice(0, BATCH)).finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendBatch(batch: ReadableSpan[]): Promise<boolean> {
    return new Promise((resolve) => {
      this.#exporter.export(batch, ({ code, error }) => {
        const isSent = (code as number) === SUCCESS;
        this.#tell(isSent ? 'sent' : 'failed', batch.length, error?.message);
        resolve(isSent);
      });
    });
  }
}
