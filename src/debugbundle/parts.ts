import { checkPart } from './check-part.ts';
import { historyPart } from './history-part.ts';
import { dmesgPart, kernelParts, processesPart } from './kernel-parts.ts';
import { logPart } from './log-part.ts';
import type { Part } from './part.ts';
import { recordParts } from './record-parts.ts';
import { redactConfig } from './redact.ts';

/** How long what asks the daemon may take, milliseconds. */
const DAEMON_MS = 10_000;

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Everything that a bundle has, in its order. A further part is a row here. */
export const PARTS: readonly Part[] = [
  { file: 'config.json', what: 'the configuration in force, without secrets', limitMs: 1_000, read: async ({ config, configFiles }) => Promise.resolve(json({ files: configFiles, config: redactConfig(config) })) },
  { file: 'status.json', what: 'podwright status', limitMs: DAEMON_MS, read: async ({ daemon }) => json(await daemon.status()) },
  { file: 'leaks.json', what: 'podwright check --leaks', limitMs: DAEMON_MS, read: async ({ daemon }) => json(await daemon.leaks()) },
  { file: 'stacks.json', what: 'podwright debug stacks', limitMs: DAEMON_MS, read: async ({ daemon }) => json(await daemon.stacks()) },
  { file: 'metrics.txt', what: 'the metrics', limitMs: DAEMON_MS, read: async ({ daemon }) => daemon.metrics() },
  checkPart,
  ...recordParts,
  historyPart,
  logPart,
  ...kernelParts,
  dmesgPart,
  processesPart,
]; // prettier-ignore
