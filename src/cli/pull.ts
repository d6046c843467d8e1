import type { PullEvent, PullsEvent } from '../admin/image-reports.ts';
import type { PullSnapshot } from '../base/pull-snapshot.ts';
import type { AdminClient } from './admin-client.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { jsonLine } from './io.ts';
import type { CliIo } from './io.ts';
import { PlainProgress } from './plain-progress.ts';
import { headText, pullLines } from './pull-view.ts';
import { Redraw } from './redraw.ts';

/** `image pull REF`: bars on a terminal, else lines on standard error; the image's id and names on standard output. */
export async function pullImage(client: AdminClient, reference: string, json: boolean, io: CliIo): Promise<void> {
  const show = json ? () => undefined : shower(io);
  await untilInterrupted('image pull: canceled', async (signal) => {
    const path = `/v1/images/pull?${new URLSearchParams({ ref: reference }).toString()}`;
    for await (const event of client.events<PullEvent>('POST', path, signal)) {
      if (json) io.stdout.write(jsonLine(event));
      if (event.event === 'progress') show(event.pull);
      else if (event.event === 'image' && !json) io.stdout.write(`${event.image.id} ${event.image.names.join(' ')}`.trimEnd() + '\n');
      else if (event.event === 'failed') throw new CliError(EXIT.failed, event.message);
      else if (event.event === 'done') return;
    }
    throw new CliError(EXIT.failed, 'image pull: the daemon broke off before it was done');
  });
}

function shower(io: CliIo): (pull: PullSnapshot) => void {
  if (io.stdout.isTTY !== true) {
    const plain = new PlainProgress((line) => {
      io.stderr.write(`${line}\n`);
    });
    return (pull) => {
      plain.tell(pull);
    };
  }
  const screen = new Redraw(io.stdout);
  return (pull) => {
    screen.draw(pullLines(pull, screen.columns, screen.rows));
  };
}

/** `image pulls`: those under way now; with `follow` as they go on, until the command is interrupted. */
export async function showPulls(
  client: AdminClient,
  options: { readonly follow: boolean; readonly json: boolean },
  io: CliIo,
): Promise<void> {
  const { follow, json } = options;
  await untilInterrupted(undefined, async (signal) => {
    const view = new PullsView(io, follow);
    for await (const event of client.events<PullsEvent>('GET', `/v1/pulls?follow=${follow}`, signal)) {
      if (json) io.stdout.write(jsonLine(event.event === 'pulls' && !follow ? event.pulls : event));
      else view.show(event);
      if (!follow) return;
    }
  });
}

const WIDE = 200;

class PullsView {
  readonly #io: CliIo;
  readonly #screen: Redraw | undefined;
  readonly #pulls = new Map<number, PullSnapshot>();
  readonly #plain = new Map<number, PlainProgress>();

  constructor(io: CliIo, follow: boolean) {
    this.#io = io;
    this.#screen = follow && io.stdout.isTTY === true ? new Redraw(io.stdout) : undefined;
  }

  show(event: PullsEvent): void {
    if (event.event === 'pulls') {
      for (const pull of event.pulls) this.#pulls.set(pull.id, pull);
      if (this.#screen === undefined) this.#print(event.pulls, event.leftOut);
    } else if (event.event === 'pull') {
      this.#pulls.set(event.pull.id, event.pull);
      if (this.#screen === undefined) this.#plainOf(event.pull).tell(event.pull);
    } else if (event.event === 'ended') {
      this.#pulls.delete(event.pull.id);
      this.#plain.delete(event.pull.id);
      this.#end(event.pull);
    }
    this.#draw();
  }

  /** The pulls as they are, for who does not follow them. */
  #print(pulls: readonly PullSnapshot[], leftOut: number): void {
    const columns = this.#io.stdout.isTTY === true ? (this.#io.stdout.columns ?? WIDE) : WIDE;
    for (const pull of pulls) this.#line(...pullLines(pull, columns, Infinity));
    if (leftOut > 0) this.#line(`and ${leftOut} more pulls`);
    if (pulls.length === 0) this.#line('no pull is under way');
  }

  #plainOf(pull: PullSnapshot): PlainProgress {
    const plain =
      this.#plain.get(pull.id) ??
      new PlainProgress((line) => {
        this.#line(line);
      });
    this.#plain.set(pull.id, plain);
    return plain;
  }

  /** What has ended stays above what is drawn. */
  #end(pull: PullSnapshot): void {
    this.#screen?.draw([]);
    const words = pull.error === undefined ? '' : `: ${pull.error}`;
    this.#line(`${headText(pull)}${words}`);
    this.#screen?.forget();
  }

  #draw(): void {
    const screen = this.#screen;
    if (screen === undefined) return;
    const pulls = [...this.#pulls.values()];
    const rows = Math.max(Math.floor((screen.rows - 1) / Math.max(pulls.length, 1)), 2);
    const lines = pulls.flatMap((pull) => pullLines(pull, screen.columns, rows));
    screen.draw(lines.length === 0 ? ['no pull is under way'] : lines.slice(0, screen.rows - 1));
  }

  #line(...lines: readonly string[]): void {
    for (const line of lines) this.#io.stdout.write(`${line}\n`);
  }
}

/** Runs `work` with a signal that SIGINT and SIGTERM abort. @throws with exit code 130 then, with `words` where some are given. */
async function untilInterrupted(words: string | undefined, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    await work(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    if (words !== undefined) throw new CliError(EXIT.interrupted, words, { cause: error });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
