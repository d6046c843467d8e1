import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/base/ids.ts';
import { findSignatures } from '../../../src/trust/find-signatures.ts';
import type { SignatureSource } from '../../../src/trust/find-signatures.ts';

const MIB = 1024 * 1024;
const MANIFEST = `sha256:${'a'.repeat(64)}` as Digest;
const NAME = { domain: 'registry.example', path: 'app', tag: '1' };

/** A registry with attachments, and a lookaside, of so many signatures, each of so many bytes. */
function sourceOf(count: number, bytes: number): { source: SignatureSource; asked: () => number } {
  let asked = 0;
  const layers = Array.from({ length: count }, (_, index) => ({
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    digest: `sha256:${String(index).padStart(64, '0')}`,
  }));
  const one = async (): Promise<Buffer> => {
    asked += 1;
    return Promise.resolve(Buffer.alloc(bytes));
  };
  const source: SignatureSource = {
    manifest: async () => Promise.resolve(Buffer.from(JSON.stringify({ layers }))),
    blob: one,
    url: async (url) => (Number(url.split('-').at(-1)) <= count ? one() : Promise.resolve(undefined)),
  };
  return { source, asked: () => asked };
}

async function find(source: SignatureSource, attachments: boolean, lookaside: string): Promise<number> {
  return (await findSignatures(NAME, MANIFEST, { lookaside, attachments }, source)).length;
}

test('all signatures of an image together have a limit, wherever they are kept', async () => {
  for (const attachments of [true, false]) {
    const lookaside = attachments ? 'file:///no/such/directory' : 'https://lookaside.example/sigs';
    assert.equal(await find(sourceOf(4, MIB).source, attachments, lookaside), 4);
    const { source, asked } = sourceOf(100, MIB);
    await assert.rejects(find(source, attachments, lookaside), { kind: 'InvalidArgument', message: /over 4194304 bytes in all/ });
    assert.equal(asked(), 5);
  }
});
