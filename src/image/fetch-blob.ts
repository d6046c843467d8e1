import { rm, writeFile } from 'node:fs/promises';
import { sleep } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { Repository } from '../registry/repository.ts';
import type { StallWatch } from '../registry/stall-watch.ts';
import type { ImageParts } from './assemble.ts';
import { receive } from './receive.ts';
import type { ImageLayer } from './store.ts';

export interface BlobSource {
  readonly repository: Repository;
  readonly watch: StallWatch;
  readonly signal: AbortSignal;
  /** How often a broken stream is taken up again. */
  readonly retries: number;
}

/**
 * Fetches the blob of a layer whose tree is here. Nobody may need it any more when it has come: `images.collect` is to follow.
 * @throws the registry's failure; FailedPrecondition where what comes is something else.
 */
export async function fetchBlob({ blobs, layers }: ImageParts, { digest, sizeBytes }: ImageLayer, source: BlobSource): Promise<void> {
  const { repository, watch, signal, retries } = source;
  const path = blobs.newIngestPath();
  try {
    const receivedBytes = await layers.disk.watched(async (disk) => {
      await writeFile(path, '', { flag: 'wx', mode: 0o600 });
      const bytes = await receive(path, async (...asked) => await repository.blob(digest, ...asked), {
        what: `blob ${digest}`,
        sizeBytes,
        signal,
        retries,
        pause: async (ms, until) => watch.during(async () => sleep(ms, until)),
        written: () => undefined,
      });
      const received = await layers.digestOfFile(path, signal);
      if (received !== digest) throw new DaemonError('FailedPrecondition', `the digest of the blob is ${received}, must be ${digest}`);
      await disk.sync();
      return bytes;
    });
    await blobs.adopt(path, { digest, sizeBytes: receivedBytes });
    await blobs.sync();
  } finally {
    await rm(path, { force: true });
  }
}
