import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { dump, load } from 'js-yaml';
import { until } from './pods.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const fetched = await execa('bash', [join(REPOSITORY, 'scripts/fetch-prometheus.sh')], { reject: false });

/** Why tests with Prometheus are skipped; false where they are not. */
export const noPrometheus = fetched.exitCode !== 0 && `there is no Prometheus: ${fetched.stderr.split('\n').at(-1) ?? ''}`;

/** What deploy/ has for a Prometheus of a node. */
export const DEPLOYED = join(REPOSITORY, 'deploy/prometheus');
/** Where deploy/'s configuration looks for podwright. */
export const SCRAPED_ADDRESS = '127.0.0.1:9537';

/** Runs promtool. Its words, where it finds a fault or has something to say, are thrown. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const { exitCode, all } = await execa(join(fetched.stdout, 'promtool'), args, { input, all: true, reject: false });
  if (exitCode !== 0) throw new Error(`promtool ${args.join(' ')}: ${all}`);
  return all;
}

/** One series of an answer: its labels, and its last value. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

interface PrometheusConfig {
  global: Record<string, string>;
  rule_files: string[];
}

/** A Prometheus of our own, with the configuration of deploy/ but for a shorter interval. */
export class Prometheus {
  readonly #url: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, stop: () => Promise<void>) {
    this.#url = url;
    this.#stop = stop;
  }

  /** @param directory for its data. */
  static async start(directory: string, port = 9099): Promise<Prometheus> {
    const config = load(await readFile(join(DEPLOYED, 'prometheus.yml'), 'utf8')) as PrometheusConfig;
    config.global = { scrape_interval: '1s', evaluation_interval: '1s' };
    config.rule_files = config.rule_files.map((file) => join(DEPLOYED, file));
    const file = join(directory, 'prometheus.yml');
    await writeFile(file, dump(config));
    const listen = `127.0.0.1:${port}`;
    const flags = { 'config.file': file, 'storage.tsdb.path': join(directory, 'data'), 'web.listen-address': listen, 'log.level': 'warn' };
    const child = execa(
      join(fetched.stdout, 'prometheus'),
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      { reject: false },
    );
    let ended: string | undefined;
    void child.then(({ stderr }) => (ended = stderr));
    const prometheus = new Prometheus(`http://${listen}`, async () => {
      child.kill('SIGTERM');
      await child;
    });
    try {
      await until('Prometheus scrapes', async () => {
        if (ended !== undefined) throw new Error(`Prometheus has ended: ${ended}`);
        return (await prometheus.query('up').catch(() => [])).some(({ value }) => value === 1);
      }, 30_000); // prettier-ignore
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  /** What a query answers now; series without a number are left out. */
  async query(query: string): Promise<Sample[]> {
    const response = await fetch(`${this.#url}/api/v1/query?${new URLSearchParams({ query }).toString()}`);
    const { status, error, data } = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (status !== 'success' || data === undefined) throw new Error(`query ${query}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) })).filter(({ value }) => !Number.isNaN(value));
  }

  /** Names of the alerts that fire, or wait until they do. */
  async alerts(): Promise<string[]> {
    return (await this.query('ALERTS')).map(({ metric }) => metric['alertname'] ?? '');
  }

  async stop(): Promise<void> {
    await this.#stop();
  }
}
