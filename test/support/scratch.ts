import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { unmountAllBelow } from '../../src/linux/mounts.ts';

/** A directory for one test; at its end everything mounted below it is unmounted and it is removed. */
export async function scratchDirectory(t: TestContext, name = 'podwright-test'): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `${name}-`));
  t.after(async () => {
    await unmountAllBelow(directory);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}
