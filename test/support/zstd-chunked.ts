import { join } from 'node:path';
import { execa } from 'execa';
import { sha256 } from '../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../scripts/make-demo-image.ts';
import { makeTar } from '../../scripts/tar-writer.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';

const built = await execa('bash', [join(import.meta.dirname, '../../scripts/build-zstd-chunked.sh')], { reject: false });

/** Why tests that need zstd:chunked layers are skipped; false where they are not. */
export const noChunked = built.exitCode !== 0 && `the zstd:chunked compressor is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

/** A zstd:chunked layer, by the code that podman, buildah and skopeo have. */
export async function chunkedLayer(entries: readonly TarEntry[]): Promise<ImageLayer> {
  const tar = makeTar(entries);
  const { stdout, stderr } = await execa(built.stdout, [], { input: tar, encoding: 'buffer' });
  const blob = Buffer.from(stdout);
  const annotations = JSON.parse(Buffer.from(stderr).toString('utf8')) as Record<string, string>;
  return { diffId: sha256(tar), digest: sha256(blob), compression: 'zstd', blob, tar, annotations };
}
