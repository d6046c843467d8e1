import { METRICS, PREFIX } from './table.ts';
import type { MetricSpec } from './metric-spec.ts';

/** docs/metrics.md, from the table. */
export function metricsPage(): string {
  const rows = (Object.values(METRICS) as MetricSpec[]).map(
    ({ name, kind, labels, help }) => `| \`${PREFIX}${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return `# Metrics

Printed from \`src/metrics/table.ts\` by \`npm run generate\`; not to be edited.

The daemon answers \`GET /metrics\` on the address of \`--metrics-listen\` (\`HOST:PORT\` or \`unix://PATH\`) and on the admin socket, in the text
format of Prometheus. Beside the metrics below it has the usual \`process_*\` and \`nodejs_*\` ones.

| metric | kind | labels | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}
