/**
 * api.proto against the Go module of the tag that api/cri/README.md names. A lane has no network: scripts/test-all.sh runs
 * scripts/build-cri-facts.sh before. UPDATE_CRI_FACTS=1 prints the checked-in facts again, for a new tag.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { FACTS_FILE, factsOf, readFactsFile, readProto, readTag } from '../../support/cri-facts.ts';
import type { CriFacts } from '../../support/cri-facts.ts';

const SCRIPT = join(import.meta.dirname, '../../../scripts/build-cri-facts.sh');
/** A first build downloads some 15 MB and compiles grpc-go. */
const TIMEOUT_MS = 5 * 60_000;

/** The module's facts; or why they cannot be had here: no Go, or no way to the module. */
async function moduleFacts(): Promise<CriFacts | { readonly unreachable: string }> {
  const built = await execa('bash', [SCRIPT], { reject: false, timeout: TIMEOUT_MS });
  if (built.exitCode !== 0) return { unreachable: built.stderr.trim().split('\n').at(-1) || 'no reason given' };
  return JSON.parse((await execa(built.stdout)).stdout) as CriFacts;
}

test('names, numbers, types, labels and streaming are those of the Go module', { timeout: 2 * TIMEOUT_MS }, async (t) => {
  const tag = await readTag();
  const ours = factsOf(await readProto());
  const theirs = await moduleFacts();
  if ('unreachable' in theirs) {
    t.diagnostic(`compared with the checked-in facts, not with the Go module k8s.io/cri-api ${tag}: ${theirs.unreachable}`);
    assert.deepEqual({ tag, ...ours }, await readFactsFile());
    return;
  }
  t.diagnostic(`compared with the Go module k8s.io/cri-api ${tag} and with the checked-in facts`);
  assert.deepEqual(ours, theirs);
  if (process.env['UPDATE_CRI_FACTS'] === '1') await writeFile(FACTS_FILE, `${JSON.stringify({ tag, ...theirs }, undefined, 1)}\n`);
  assert.deepEqual(await readFactsFile(), { tag, ...theirs }, 'the checked-in facts are those of the module');
});
