import type { TestDaemon } from './daemon.ts';
import type { E2eBody } from './e2e-test.ts';

/** The body of a test, after which no image is there. */
export function withoutImages(body: E2eBody): E2eBody {
  return async (daemon, context) => {
    try {
      await body(daemon, context);
    } finally {
      await removeAll(daemon);
    }
  };
}

async function removeAll({ images }: TestDaemon): Promise<void> {
  for (const { id } of (await images.listImages({})).images) await images.removeImage({ image: { image: id } }).catch(() => undefined);
}
