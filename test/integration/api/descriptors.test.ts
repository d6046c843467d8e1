/**
 * api.proto against the Go module of the tag that api/cri/README.md names. The module comes through GOPROXY into Go's own
 * cache. UPDATE_CRI_FACTS=1 prints the checked-in facts again, for a new tag.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { FACTS_FILE, factsOf, readFactsFile, readProto, readTag } from '../../support/cri-facts.ts';
import type { CriFacts } from '../../support/cri-facts.ts';

/** A first run downloads some 15 MB and compiles grpc-go. */
const TIMEOUT_MS = 10 * 60_000;
/** The module's facts; or why they cannot be had here: no Go, or no way to the module. */
async function moduleFacts(tag: string): Promise<CriFacts | { readonly unreachable: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'podwright-cri-facts-'));
  const go = { cwd: folder, timeout: TIMEOUT_MS, env: { ...process.env, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', GOWORK: 'off' } };
  try {
    await writeFile(join(folder, 'go.mod'), `module podwright/cri-facts\n\ngo 1.26.0\n\nrequire k8s.io/cri-api ${tag}\n`);
    await copyFile(new URL('cri-facts/main.go', import.meta.url), join(folder, 'main.go'));
    // Whatever is missing of the module and what it needs shows here; after it `go run` needs nothing from outside.
    const missing = await execa('go', ['list', '-deps', '.'], go).then(
      () => undefined,
      (error: unknown) => error as Error & { stderr?: string },
    );
    if (missing !== undefined) return { unreachable: (missing.stderr ?? '').trim().split('\n').at(-1) || missing.message };
    return JSON.parse((await execa('go', ['run', '.'], go)).stdout) as CriFacts;
  } finally {
    await remove(folder);
  }
}

test('names, numbers, types, labels and streaming are those of the Go module', { timeout: TIMEOUT_MS }, async (t) => {
  const tag = await readTag();
  const ours = factsOf(await readProto());
  const theirs = await moduleFacts(tag);
  if ('unreachable' in theirs) {
    t.diagnostic(`compared with ${FACTS_FILE.pathname}, since k8s.io/cri-api ${tag} cannot be reached: ${theirs.unreachable}`);
    assert.deepEqual({ tag, ...ours }, await readFactsFile());
    return;
  }
  t.diagnostic(`compared with k8s.io/cri-api ${tag}`);
  assert.deepEqual(ours, theirs);
  if (process.env['UPDATE_CRI_FACTS'] === '1') await writeFile(FACTS_FILE, `${JSON.stringify({ tag, ...theirs }, undefined, 1)}\n`);
  assert.deepEqual(await readFactsFile(), { tag, ...theirs }, 'the checked-in facts are those of the module');
});
