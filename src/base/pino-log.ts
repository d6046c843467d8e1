import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import type { Log, LogFields } from './log.ts';
import { currentRequest } from './steps.ts';
import { timed } from './timed.ts';
import { escaped } from './escaped.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'text' | 'json';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Default: standard error, written synchronously, so that the last words of a crash are not lost. */
  readonly destination?: DestinationStream;
}

/** The daemon's log: one JSON object or one line of text for each event. */
export class PinoLog implements Log {
  readonly #pino: Logger;
  readonly #fields: LogFields;

  private constructor(logger: Logger, fields: LogFields) {
    this.#pino = logger;
    this.#fields = fields;
  }

  static open({ level, format, destination = standardError() }: LogOptions): PinoLog {
    const options = {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label: string) => ({ level: label }) },
      serializers: { error: describeError },
    };
    const asText: DestinationStream = {
      write: (line) => {
        destination.write(toText(line));
      },
    };
    return new PinoLog(pino(options, format === 'text' ? asText : destination), {});
  }

  /** Changes what is logged, also by the logs that {@link with} made. */
  setLevel(level: LogLevel): void {
    this.#pino.level = level;
  }

  debug(message: string, fields?: LogFields): void {
    this.#pino.debug(this.#all(fields), message);
  }

  info(message: string, fields?: LogFields): void {
    this.#pino.info(this.#all(fields), message);
  }

  warn(message: string, fields?: LogFields): void {
    this.#pino.warn(this.#all(fields), message);
  }

  error(message: string, fields?: LogFields): void {
    this.#pino.error(this.#all(fields), message);
  }

  /** With the id of the call that the line is of, and its span where its trace is kept. */
  #all(fields: LogFields | undefined): LogFields {
    const all = { ...this.#fields, ...fields };
    const request = currentRequest();
    if (request === undefined || (all.requestId ?? request.requestId) !== request.requestId) return all;
    return { ...all, requestId: request.requestId, ...request.trace };
  }

  // Not pino's own children: they keep the level they were made with.
  with(fields: LogFields): PinoLog {
    return new PinoLog(this.#pino, { ...this.#fields, ...fields });
  }
}

/** A reader of the log that has gone must not end the daemon. */
function standardError(): DestinationStream {
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on('error', () => undefined);
  return {
    write: (line) => {
      timed('write of a log line', () => destination.write(line)); // waits for a reader that is slow, or a disk that is
    },
  };
}

/** An error with its causes in one sentence, and its stack where it is none of the expected kinds. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const sentences: string[] = [];
  for (let each: unknown = error; each instanceof Error && sentences.length < 8; each = each.cause) {
    if (!sentences.some((sentence) => sentence.includes(each.message))) sentences.push(each.message);
  }
  const message = sentences.join(': ');
  return error.name === 'DaemonError' ? message : `${message}\n${error.stack ?? ''}`;
}

/** `2026-11-23T16:55:47.123Z INFO  message key=value` */
function toText(line: string): string {
  const { time, level, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const words = Object.entries(fields).map(([name, value]) => `${name}=${writeField(value)}`);
  return `${escaped([String(time), String(level).toUpperCase().padEnd(5), String(message), ...words].join(' '))}\n`;
}

function writeField(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
