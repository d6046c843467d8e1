import { messageOf } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Endpoint } from '../registry/endpoint.ts';
import { RegistrySources } from '../registry/registry-sources.ts';
import { discard, Transport } from '../registry/transport.ts';
import { findingsOf, type Finding } from './finding.ts';

/** What was found of the registries that the configuration names. */
export interface RegistryFacts {
  /** What is wrong with the files. */
  readonly fault?: string;
  readonly warnings: readonly string[];
  readonly answers: readonly RegistryAnswer[];
  /** How many more there are than are asked. */
  readonly unasked: number;
}

export interface RegistryAnswer {
  readonly host: string;
  readonly reason: string;
  readonly status?: number;
  readonly durationMs: number;
  /** How far the registry's clock is before ours, milliseconds; undefined where it does not say. */
  readonly aheadMs?: number;
  readonly fault?: string;
}

/** How long one registry may take, milliseconds. */
const REGISTRY_MS = 5_000;
/** Most registries that are asked. */
const MOST = 32;

type Settings = Pick<
  Config,
  'registriesConf' | 'registriesConfDir' | 'shortNameAliases' | 'registryConfigPath' | 'registryCertsDirs' | 'proxy'
>;

export async function readRegistries(config: Settings, signal: AbortSignal): Promise<RegistryFacts> {
  let sources: RegistrySources;
  try {
    sources = await RegistrySources.load({
      registriesConf: config.registriesConf,
      registriesConfDir: config.registriesConfDir,
      shortNameAliases: config.shortNameAliases,
      hostDirectories: config.registryConfigPath,
      certificateDirectories: config.registryCertsDirs,
    });
  } catch (error) {
    return { fault: messageOf(error), warnings: [], answers: [], unasked: 0 };
  }
  const endpoints = endpointsOf(sources);
  const asked = endpoints.slice(0, MOST);
  const { http, https, noProxy } = config.proxy;
  const transport = new Transport({ connectTimeoutMs: REGISTRY_MS, proxies: { http, https, noProxy: noProxy.join(',') } });
  try {
    const answers = await Promise.all(asked.map(async (endpoint) => ask(transport, endpoint, signal)));
    return { warnings: sources.trace.warnings, answers, unasked: endpoints.length - asked.length };
  } finally {
    void transport.close().catch(() => undefined);
  }
}

/** Each host once, though several names lead to it. */
function endpointsOf(sources: RegistrySources): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const domain of sources.registries) {
    let endpoints: Endpoint[] = [];
    try {
      endpoints = sources.endpoints({ domain, path: 'podwright/check', suffix: ':latest' });
    } catch {
      // It is blocked by the configuration.
    }
    for (const endpoint of endpoints) if (!found.has(endpoint.host)) found.set(endpoint.host, endpoint);
  }
  return [...found.values()];
}

/** Any answer will do: 401 is the usual one. */
async function ask(transport: Transport, endpoint: Endpoint, signal: AbortSignal): Promise<RegistryAnswer> {
  const { host, reason } = endpoint;
  const begin = performance.now();
  const schemes = endpoint.scheme === 'any' ? (['https', 'http'] as const) : ([endpoint.scheme] as const);
  let fault = '';
  for (const scheme of schemes) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(REGISTRY_MS)]);
      const root = endpoint.root === '' ? '/v2' : endpoint.root;
      const { status, headers, body } = await transport.request(`${scheme}://${host}${root}/`, { access: endpoint, signal: limit });
      const durationMs = performance.now() - begin;
      await discard(body);
      const date = Date.parse(String(headers['date'] ?? ''));
      const ahead = Number.isNaN(date) ? {} : { aheadMs: date - Date.now() };
      return { host, reason, status, durationMs, ...ahead };
    } catch (error) {
      fault = performance.now() - begin >= REGISTRY_MS - 100 ? `no answer within ${REGISTRY_MS / 1000} s` : messageOf(error);
    }
  }
  return { host, reason, durationMs: performance.now() - begin, fault };
}

const { ok, note, warning, error } = findingsOf('registries');

export function judgeRegistries({ fault, warnings, answers, unasked }: RegistryFacts): Finding[] {
  if (fault !== undefined)
    return [error(fault, { must: 'files that can be read as registries.conf(5) and hosts.toml', advice: 'Mend it: the daemon does not start with it.' })]; // prettier-ignore
  const findings = warnings.map((words) => warning(words, { advice: 'Take it out, or mend the name.' }));
  if (answers.length === 0)
    findings.push(note('the configuration names no registry: each image is asked for at the registry of its own name, and none was tried'));
  for (const answer of answers) findings.push(judge(answer));
  if (unasked > 0) findings.push(note(`${unasked} more registries are configured and were not asked`));
  return findings;
}

function judge({ host, reason, status, durationMs, fault }: RegistryAnswer): Finding {
  const time = `${Math.round(durationMs)} ms`;
  if (fault !== undefined)
    return warning(`${host} (${reason}): ${fault}`, {
      must: 'an answer',
      advice: 'Look at DNS, routes, proxy.* and the certificates; podwright image resolve REF shows what is asked for an image.',
    });
  if (status !== undefined && status >= 500)
    return warning(`${host} answers with ${status}, after ${time} (${reason})`, { must: '200 or 401', advice: 'Ask who runs it.' });
  return ok(`${host} answers with ${status} after ${time} (${reason})`);
}

/** How wrong a clock may be, milliseconds: certificates and tokens fail beyond that. */
const SKEW_MS = { warning: 10_000, error: 300_000 };
const clock = findingsOf('clock');

/** Of several registries the middle one: one whose own clock is wrong does not count. */
export function judgeClock(answers: readonly RegistryAnswer[], nowMs = Date.now()): Finding[] {
  const advice = 'Run chrony or systemd-timesyncd.';
  if (nowMs < Date.UTC(2025, 0, 1)) return [clock.error(`it is ${new Date(nowMs).toISOString()} here`, { must: 'the time', advice })];
  const ahead = answers.flatMap(({ aheadMs }) => aheadMs ?? []).sort((one, other) => one - other);
  const middle = ahead[Math.floor(ahead.length / 2)];
  if (middle === undefined) return [clock.note('no registry told the time: the clock was not compared')];
  const seconds = Math.round(Math.abs(middle) / 1000);
  const what = `the clock is ${seconds} s ${middle > 0 ? 'behind' : 'before'} that of ${ahead.length === 1 ? 'the registry' : 'the registries'}`; // prettier-ignore
  if (Math.abs(middle) >= SKEW_MS.error) return [clock.error(what, { must: 'the same time: tokens and certificates are refused', advice })];
  if (Math.abs(middle) >= SKEW_MS.warning) return [clock.warning(what, { must: 'the same time', advice })];
  return [clock.ok(`the clock is that of ${ahead.length === 1 ? 'the registry' : 'the registries'}, to ${Math.max(1, seconds)} s`)];
}
