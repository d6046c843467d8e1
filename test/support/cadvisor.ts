import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { TestDaemon } from './daemon.ts';

/** What cAdvisor decodes of an answer to /containers/ID. */
export interface CadvisorContainer {
  readonly name: string;
  readonly pid: number;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly log_path: string;
  readonly root: string;
  readonly ip_addresses: readonly string[];
}

/** Ends as CRI-O's, so that a kubelet may have it as its endpoint. */
export function cadvisorSocket(daemon: TestDaemon): string {
  return join(daemon.directory, 'var/run/crio/crio.sock');
}

/** Puts the key into the daemon's configuration, or takes it out; for the next start. */
export async function configureCadvisor(daemon: TestDaemon, isOn: boolean, socket = cadvisorSocket(daemon)): Promise<void> {
  const file = join(daemon.directory, 'conf.d/50-cadvisor.conf');
  if (isOn) await writeFile(file, `[cadvisor]\ncrio_compat = true\nsocket = "unix://${socket}"\n`);
  else await rm(file, { force: true });
}

/** As cAdvisor asks. */
export async function askAsCadvisor(
  socket: string,
  path: string,
  method = 'GET',
): Promise<{ readonly status: number; readonly body: unknown }> {
  const asked = request({ socketPath: socket, path, method, headers: { host: 'crio' } }).end();
  const [response] = (await once(asked, 'response', { signal: AbortSignal.timeout(10_000) })) as [IncomingMessage];
  const body: unknown = JSON.parse(await text(response));
  return { status: response.statusCode ?? 0, body };
}

export async function cadvisorContainer(daemon: TestDaemon, id: string): Promise<CadvisorContainer> {
  return (await askAsCadvisor(cadvisorSocket(daemon), `/containers/${id}`)).body as CadvisorContainer;
}
