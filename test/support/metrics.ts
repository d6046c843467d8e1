import { join } from 'node:path';
import { execa } from 'execa';
import type { TestDaemon } from './daemon.ts';

/** What the daemon's /metrics says, as text. */
export async function readMetrics({ runDir }: Pick<TestDaemon, 'runDir'>): Promise<string> {
  const { stdout } = await execa('curl', ['-sf', '--unix-socket', join(runDir, 'admin.sock'), 'http://x/metrics']);
  return stdout;
}

/** The value of one series of it, which is named as there: `podwright_images`, `podwright_sandboxes{state="Ready"}`. */
export function valueOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}
