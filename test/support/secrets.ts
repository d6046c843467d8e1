import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDaemon } from './daemon.ts';
import { readMetrics } from './metrics.ts';

/** All that the daemon has written or tells: log, status, metrics, and its files but for the content of images. */
export async function toldBy(daemon: TestDaemon): Promise<string> {
  const texts = [await readFile(daemon.logFile, 'utf8'), await daemon.cli('status', '--json')];
  const metrics = await readMetrics(daemon);
  assert.match(metrics, /podwright_/);
  texts.push(metrics);
  for (const directory of [daemon.root, daemon.runDir]) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && !path.includes('/layers/') && !path.includes('/blobs/')) texts.push(await readFile(path, 'latin1'));
    }
  }
  return texts.join('\n');
}

/** Fails where a text has a secret in any form in which one travels. @param forms further ones. */
export function assertSecretless(text: string, secret: string, forms: readonly string[] = []): void {
  for (const form of [secret, btoa(secret), encodeURIComponent(secret), Buffer.from(secret).toString('hex'), ...forms])
    assert.ok(!text.includes(form), `${form} is in ${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form) + 200)}`);
}
