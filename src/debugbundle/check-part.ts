import { checkNode } from '../nodecheck/check-node.ts';
import type { DaemonFacts } from '../nodecheck/daemon.ts';
import type { StatusReport } from '../admin/reports.ts';
import { messageOf } from '../base/errors.ts';
import type { BundleContext, Part } from './part.ts';

/** The node is looked at for so long, and registries not at all: the report is of this node, milliseconds. */
const CHECK_MS = 20_000;

export const checkPart: Part = {
  file: 'check.json',
  what: 'podwright check --offline',
  limitMs: CHECK_MS,
  read: async (context) => {
    const findings = await checkNode({ config: context.config, version: context.version, daemon: daemonFacts(context), isOffline: true });
    return `${JSON.stringify(findings, undefined, 2)}\n`;
  },
};

async function daemonFacts({ daemon, daemonPid }: BundleContext): Promise<DaemonFacts> {
  try {
    return { is: 'running', status: (await daemon.status()) as StatusReport, openFilesLimit: undefined };
  } catch (error) {
    return (await daemonPid()) === undefined ? { is: 'absent' } : { is: 'silent', words: messageOf(error) };
  }
}
