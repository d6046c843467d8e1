import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { WebSocket } from 'ws';
import { hasErrno } from '../../src/base/errors.ts';
import { scratchDirectory } from './scratch.ts';

/** Debian's headless Chromium. */
export const BROWSER = '/usr/bin/chromium-headless-shell';
const PATIENCE_MS = 60_000;

/** A page in a headless Chromium, steered by the DevTools protocol. */
export interface BrowserPage {
  /** The value of an expression, as plain data. */
  evaluate<T>(expression: string): Promise<T>;
  /** As PNG. */
  screenshot(): Promise<Buffer>;
}

/** Opens a page at a size; the browser ends with the test. What it is told to say on its console fails the test. */
export async function openPage(
  t: TestContext,
  url: string,
  size: { readonly width: number; readonly height: number },
): Promise<BrowserPage> {
  const profile = await scratchDirectory(t);
  const args = ['--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
  // The program is a script that waits for the browser: a group of its own is ended whole.
  const browser = execa(BROWSER, args, { reject: false, stdio: 'ignore', detached: true });
  t.after(async () => {
    endGroup(browser.pid);
    await browser;
    // The hook of the directory has run before this one, while the browser still wrote there.
    await remove(profile);
  });
  const port = await devtoolsPort(profile);
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { type: string; webSocketDebuggerUrl: string }[];
  const target = targets.find(({ type }) => type === 'page');
  if (target === undefined) throw new Error('the browser has no page');
  const page = await Devtools.connect(t, target.webSocketDebuggerUrl);
  await page.call('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 1, mobile: false });
  await page.call('Page.enable');
  const loaded = page.event('Page.loadEventFired');
  await page.call('Page.navigate', { url });
  await loaded;
  return {
    evaluate: async <T>(expression: string): Promise<T> => {
      const { result, exceptionDetails } = await page.call('Runtime.evaluate', { expression, returnByValue: true });
      if (exceptionDetails !== undefined) throw new Error(`evaluate ${expression}: ${JSON.stringify(exceptionDetails)}`);
      return (result as { value: T }).value;
    },
    screenshot: async () => Buffer.from(String((await page.call('Page.captureScreenshot', { format: 'png' }))['data']), 'base64'),
  };
}

/** Ends what is left of a group; a hook that throws would keep those behind it from being run. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

async function devtoolsPort(profile: string): Promise<string> {
  const file = join(profile, 'DevToolsActivePort');
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 50) {
    const [port = ''] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    if (port !== '') return port;
    await sleep(50);
  }
  throw new Error(`the browser has not said its port within ${PATIENCE_MS / 1000} s`);
}

type Answer = Readonly<Record<string, unknown>>;

class Devtools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  readonly #events = new Map<string, () => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const { id, method, result, error } = JSON.parse(data.toString()) as {
        id?: number;
        method?: string;
        result?: Answer;
        error?: unknown;
      };
      if (method !== undefined) this.#events.get(method)?.();
      const call = id === undefined ? undefined : this.#waiting.get(id);
      if (error === undefined) call?.resolve(result ?? {});
      else call?.reject(new Error(JSON.stringify(error)));
    });
  }

  static async connect(t: TestContext, url: string): Promise<Devtools> {
    const socket = new WebSocket(url);
    t.after(() => {
      socket.terminate();
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve).once('error', reject);
    });
    return new Devtools(socket);
  }

  async call(method: string, params: object = {}): Promise<Answer> {
    this.#count += 1;
    const id = this.#count;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer;
  }

  async event(name: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#events.set(name, resolve);
    });
  }
}
