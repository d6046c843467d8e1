/**
 * A real Prometheus, with the configuration of deploy/, scrapes a daemon while pods and images come and go. For 20 s, or
 * PODWRIGHT_CHURN_SECONDS.
 */
// long: 45 s
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test as fileTest } from 'node:test';
import { remove } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import { atEnd } from '../support/at-end.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { readMetrics } from '../support/metrics.ts';
import { createContainer, removePod, runContainer, runPod, shell, waitForExit } from '../support/pods.ts';
import { DEPLOYED, noPrometheus, Prometheus, promtool, SCRAPED_ADDRESS, type Sample } from '../support/prometheus.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';

const CHURN_SECONDS = Number(process.env['PODWRIGHT_CHURN_SECONDS'] ?? 20);
const DASHBOARD = join(import.meta.dirname, '../../deploy/grafana/podwright.json');
const LAYER_BYTES = 4 * 1024 * 1024;

const directory = await mkdtemp(join(tmpdir(), 'pw-prometheus-'));
after(async () => remove(directory));

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** The queries of the dashboard, as Grafana sends them for the time of the test. */
async function dashboardQueries(): Promise<{ title: string; query: string }[]> {
  const { panels } = JSON.parse(await readFile(DASHBOARD, 'utf8')) as { panels: readonly Panel[] };
  const fill = (expr: string): string => expr.replaceAll('$__rate_interval', `${CHURN_SECONDS}s`).replaceAll('$instance', '.*');
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, query: fill(expr) })));
}

/** A pod with a container that ends, one with a command that is not there, and a probe; then all of it goes. */
async function onePod(daemon: TestDaemon): Promise<void> {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['sleep', '1000'], { name: 'stays' });
  await daemon.runtime.execSync({ containerId: id, cmd: ['true'], timeout: 10n });
  await waitForExit(daemon, await runContainer(daemon, pod, shell('exit 1'), { name: 'ends' }));
  await assert.rejects(createContainer(daemon, pod, ['true'], { name: 'wrong', image: 'not.here/at-all:1' }));
  await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
  await removePod(daemon, pod.id);
}

async function onePull(daemon: TestDaemon, image: string): Promise<void> {
  const { imageRef } = await daemon.images.pullImage({ image: { image } }, { timeoutMs: 60_000 });
  await daemon.images.removeImage({ image: { image: imageRef } });
}

async function churn(daemon: TestDaemon, images: readonly string[]): Promise<void> {
  const endMs = Date.now() + CHURN_SECONDS * 1000;
  for (let round = 0; Date.now() < endMs; round += 1) await Promise.all([onePod(daemon), onePull(daemon, images[round % images.length]!)]);
}

function labelsOf(samples: readonly Sample[], label: string): string[] {
  return samples.map(({ metric }) => metric[label] ?? '');
}

const images: string[] = [];
e2eTest(
  `Prometheus, scraping for ${CHURN_SECONDS} s of churn, answers every query of the dashboard`,
  async (daemon) => {
    const prometheus = await Prometheus.start(directory);
    try {
      await churn(daemon, images);

      const steps = await prometheus.query(
        `histogram_quantile(0.99, sum by (le, step) (rate(podwright_step_duration_seconds_bucket[${CHURN_SECONDS}s])))`,
      );
      console.log(steps.map(({ metric, value }) => `${metric['step']}: p99 ${(value * 1000).toFixed(1)} ms`).join('; '));
      for (const step of ['pin namespaces', 'attach network', 'run CNI plugin', 'mount root file system', 'create by monitor'])
        assert.ok(steps.some(({ metric, value }) => metric['step'] === step && value > 0), `no p99 of ${step}: ${labelsOf(steps, 'step').join()}`); // prettier-ignore
      const [throughput] = await prometheus.query(`sum(rate(podwright_image_pull_received_bytes_total[${CHURN_SECONDS}s]))`);
      console.log(`pulled ${((throughput?.value ?? 0) / 1e6).toFixed(2)} MB/s`);
      assert.ok((throughput?.value ?? 0) > 1000, 'pulls have no throughput');

      const empty: string[] = [];
      for (const { title, query } of await dashboardQueries())
        if ((await prometheus.query(query)).length === 0) empty.push(`${title}: ${query}`);
      assert.deepEqual(empty, [], 'queries of the dashboard without an answer');

      await promtool(['check', 'metrics'], `${await readMetrics(daemon)}\n`);
      assert.deepEqual(await prometheus.alerts(), []);
    } finally {
      await prometheus.stop();
    }
  },
  {
    skip: noPrometheus || noRegistry,
    timeoutMs: CHURN_SECONDS * 1000 + 180_000,
    args: ['--metrics-listen', SCRAPED_ADDRESS],
    prepare: async () => {
      const registry = await TestRegistry.start();
      atEnd(async () => registry.stop());
      for (const name of ['one', 'two', 'three']) {
        const layers = await Promise.all(
          [0, 1].map(async (n) => makeLayer([{ path: `${name}-${n}`, kind: 'file', data: randomBytes(LAYER_BYTES) }])),
        );
        await registry.push({ config: {}, layers }, name, ['1']);
        images.push(`${registry.host}/${name}:1`);
      }
      return { config: await registry.daemonConfig({}) };
    },
  },
);

fileTest('the configuration and the alerts of deploy/ are right, and the alerts come when they must', { skip: noPrometheus }, async () => {
  await promtool(['check', 'config', join(DEPLOYED, 'prometheus.yml')]);
  await promtool(['check', 'rules', join(DEPLOYED, 'podwright-alerts.yml')]);
  await promtool(['test', 'rules', join(DEPLOYED, 'podwright-alerts.test.yml')]);
});
