import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { until } from './pods.ts';

const built = await execa('bash', [join(import.meta.dirname, '../../scripts/build-otlp-receiver.sh')], { reject: false });

/** Why tests with the receiver of traces are skipped; false where they are not. */
export const noOtlpReceiver = built.exitCode !== 0 && `the receiver of traces is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

/** A span as it has arrived; times in nanoseconds since 1970. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly events: readonly string[];
  /** 2 is an error. */
  readonly status: { readonly code?: number; readonly message?: string };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

type OtlpSpan = Pick<ReceivedSpan, 'traceId' | 'spanId' | 'name' | 'kind'> & {
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Attribute[];
  readonly events?: readonly { readonly name: string }[];
  readonly status?: ReceivedSpan['status'];
};

interface OtlpLine {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[] }[];
}

/** The OpenTelemetry Collector's own receiver of OTLP over HTTP. */
export class OtlpReceiver {
  readonly endpoint: string;
  readonly spans: ReceivedSpan[] = [];
  readonly #stop: () => Promise<void>;

  private constructor(address: string, stop: () => Promise<void>) {
    this.endpoint = `http://${address}`;
    this.#stop = stop;
  }

  static async start(): Promise<OtlpReceiver> {
    const child = execa(built.stdout, { stdin: 'pipe', reject: false });
    const lines = createInterface({ input: child.stdout });
    const address = await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      void child.then(({ stderr }) => {
        reject(new Error(`the receiver of traces has ended: ${stderr}`));
      });
    });
    const receiver = new OtlpReceiver(address, async () => {
      child.stdin.end();
      await child;
    });
    lines.on('line', (line) => {
      const { resourceSpans } = JSON.parse(line) as OtlpLine;
      for (const { scopeSpans } of resourceSpans) for (const { spans } of scopeSpans) receiver.spans.push(...spans.map(received));
    });
    return receiver;
  }

  /** Waits for a span. */
  async span(matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
    await until('a span arrives', () => Promise.resolve(this.spans.some(matches)), 20_000);
    return this.spans.find(matches)!;
  }

  childrenOf({ spanId }: ReceivedSpan): ReceivedSpan[] {
    return this.spans.filter(({ parentSpanId }) => parentSpanId === spanId);
  }

  async stop(): Promise<void> {
    await this.#stop();
  }
}

function received(span: OtlpSpan): ReceivedSpan {
  const { traceId, spanId, name, kind, attributes = [], events = [] } = span;
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanId ?? '',
    name,
    kind,
    startNs: Number(span.startTimeUnixNano),
    endNs: Number(span.endTimeUnixNano),
    attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? ''])),
    events: events.map((event) => event.name),
    status: span.status ?? {},
  };
}
