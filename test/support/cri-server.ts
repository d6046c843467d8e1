import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import { services } from '../../api/cri/runtime.ts';
import { unimplemented } from '../../src/base/call.ts';
import type { Log, LogFields } from '../../src/base/log.ts';
import { connect } from '../../src/cli/cri-client.ts';
import type { CriClient } from '../../src/cli/cri-client.ts';
import type { ImageServiceHandlers } from '../../src/imageservice/handlers.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { RuntimeServiceHandlers } from '../../src/runtimeservice/handlers.ts';
import { listen } from '../../src/server/listen.ts';
import type { CriServer, ListenOptions } from '../../src/server/listen.ts';

export interface LogLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

/** A log that keeps its lines. */
export function collectingLog(lines: LogLine[], fields: LogFields = {}): Log {
  const add =
    (level: string) =>
    (message: string, more: LogFields = {}) => {
      lines.push({ level, message, ...fields, ...more });
    };
  return {
    debug: add('debug'),
    info: add('info'),
    warn: add('warn'),
    error: add('error'),
    with: (more) => collectingLog(lines, { ...fields, ...more }),
  };
}

/** A whole table of handlers: those given, and UNIMPLEMENTED for the rest. */
export function handlers(service: object, given: object): object {
  const rest = Object.keys(service).map((rpc) => [rpc.charAt(0).toLowerCase() + rpc.slice(1), unimplemented(rpc)]);
  return { ...(Object.fromEntries(rest) as object), ...given };
}

export interface Served {
  readonly server: CriServer;
  readonly client: CriClient;
  readonly path: string;
  readonly metrics: Metrics;
  readonly lines: LogLine[];
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'podwright-server-'));
  t.after(() => remove(folder));
  return folder;
}

/** Serves the given handlers on a socket of the test's own, with a client; both are closed after the test. */
export async function serve(
  t: TestContext,
  runtime: Partial<RuntimeServiceHandlers>,
  options: Partial<ListenOptions> & { readonly imageHandlers?: Partial<ImageServiceHandlers> } = {},
): Promise<Served> {
  const path = options.path ?? join(await temporaryFolder(t), 'cri.sock');
  const lines: LogLine[] = [];
  const metrics = new Metrics();
  const server = await listen({
    path,
    log: collectingLog(lines),
    metrics,
    runtime: handlers(services.RuntimeService, runtime) as RuntimeServiceHandlers,
    image: handlers(services.ImageService, options.imageHandlers ?? {}) as ImageServiceHandlers,
    ...options,
  });
  t.after(() => server.close(0));
  const client = connect(path);
  t.after(() => {
    client.close();
  });
  return { server, client, path, metrics, lines };
}

/** Resolves when `check` is true; asks every 5 ms. */
export async function eventually(check: () => boolean, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!check()) {
    if (Date.now() > end) throw new Error(`not so after ${timeoutMs} ms: ${check.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
