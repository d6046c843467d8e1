/**
 * Our protos against the Go modules of the tags that their README.md name. A lane has no network: scripts/test-all.sh runs
 * scripts/build-proto-facts.sh before. UPDATE_FACTS=1 prints the checked-in facts again, for a new tag.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { factsOf, readFactsFile, readProto, readTag, UPSTREAMS } from '../../support/proto-facts.ts';
import type { ProtoFacts, Upstream } from '../../support/proto-facts.ts';

const SCRIPT = join(import.meta.dirname, '../../../scripts/build-proto-facts.sh');
/** A first build downloads some 15 MB and compiles grpc-go. */
const TIMEOUT_MS = 5 * 60_000;

/** The module's facts; or why they cannot be had here: no Go, or no way to the module. */
async function moduleFacts({ name, service }: Upstream): Promise<ProtoFacts | { readonly unreachable: string }> {
  const built = await execa('bash', [SCRIPT, name], { reject: false, timeout: TIMEOUT_MS });
  if (built.exitCode !== 0) return { unreachable: built.stderr.trim().split('\n').at(-1) || 'no reason given' };
  return JSON.parse((await execa(built.stdout, [service])).stdout) as ProtoFacts;
}

for (const upstream of UPSTREAMS) {
  const { api, module } = upstream;
  test(`${api.package}: names, numbers, types, labels and streaming are those of the Go module`, { timeout: 2 * TIMEOUT_MS }, async (t) => {
    const tag = await readTag(upstream);
    const ours = factsOf(await readProto(api), api);
    const theirs = await moduleFacts(upstream);
    if ('unreachable' in theirs) {
      t.diagnostic(`compared with the checked-in facts, not with the Go module ${module} ${tag}: ${theirs.unreachable}`);
      assert.deepEqual({ tag, ...ours }, await readFactsFile(upstream));
      return;
    }
    t.diagnostic(`compared with the Go module ${module} ${tag} and with the checked-in facts`);
    assert.deepEqual(ours, theirs);
    if (process.env['UPDATE_FACTS'] === '1') await writeFile(upstream.factsFile, `${JSON.stringify({ tag, ...theirs }, undefined, 1)}\n`);
    assert.deepEqual(await readFactsFile(upstream), { tag, ...theirs }, 'the checked-in facts are those of the module');
  });
}
