/**
 * Moves a node with what runs on it by docs/moving.md: a one-node Kubernetes (test/cluster) begins on containerd or CRI-O, is drained and
 * moved to the daemon, goes back, and is moved again without being drained. Root, and what test-cluster.ts needs.
 *
 *     PODWRIGHT_TEST_CONTAINERD=FILE npm run test:moving [-- --keep]                --keep leaves the logs and says where
 *     PODWRIGHT_TEST_CRIO=FILE npm run test:moving -- --from crio [--keep]
 *
 * FILE is a containerd of 2.1 or later, with ctr and its shim beside it, or a crio with its pinns. Closes with one line:
 * `moving: 6 passed, 0 failed, 0 skipped`. Exits 1 when something failed or nothing ran.
 */
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { moveNode } from '../test/cluster/move-node.ts';
import { placesOf } from '../test/cluster/old-runtime.ts';
import type { OldRuntimeName } from '../test/cluster/old-runtime.ts';
import { inOwnNamespaces } from '../test/cluster/places.ts';
import { findProgram } from '../test/support/find-program.ts';
import { describe, Outcomes, tell } from '../test/support/outcomes.ts';
import { useTestBuild } from './test-build.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: 'containerd' },
    keep: { type: 'boolean', default: false },
    inside: { type: 'boolean', default: false },
  },
});
const VARIABLES = { containerd: 'PODWRIGHT_TEST_CONTAINERD', crio: 'PODWRIGHT_TEST_CRIO' } as const;
if (!(values.from in VARIABLES)) throw new Error(`--from is "${values.from}", must be containerd or crio`);
const from = values.from as OldRuntimeName;
const program = process.env[VARIABLES[from]] ?? '';
const outcomes = new Outcomes('moving');
process.exitCode = values.inside ? await main() : await enter();

/** Starts this program again, in the cluster's namespaces. */
async function enter(): Promise<number> {
  const lacking = process.getuid?.() === 0 ? await lacks() : 'it needs root';
  if (lacking === undefined) return inOwnNamespaces([process.execPath, ...process.argv.slice(1), '--inside'], placesOf(from));
  outcomes.take({ name: 'the whole test', ms: 0, skipped: lacking });
  return outcomes.report();
}

async function lacks(): Promise<string | undefined> {
  if (program === '' || (await findProgram(from, program)) === undefined) return `$${VARIABLES[from]} names no ${from}`;
  if (from === 'crio' && (await findProgram('skopeo')) === undefined) return 'skopeo is not in PATH';
  return (await findProgram('crictl', process.env['CRICTL'])) === undefined ? 'crictl is neither $CRICTL nor in PATH' : undefined;
}

async function main(): Promise<number> {
  const begun = Date.now();
  try {
    await useTestBuild();
    await moveNode(from, program, outcomes, keepLogs);
  } catch (error) {
    outcomes.take({ name: 'the test itself', ms: Date.now() - begun, failure: describe(error) });
  }
  return outcomes.report();
}

async function keepLogs(copyLogs: (copy: (from: string, to: string) => Promise<void>) => Promise<void>): Promise<void> {
  if (!values.keep) return;
  const folder = await mkdtemp(join(tmpdir(), 'podwright-moving-logs-'));
  await copyLogs((from, to) => cp(from, join(folder, to), { recursive: true }));
  tell(`kept: ${folder}`);
}
