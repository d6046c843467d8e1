import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const DOCUMENT = join(import.meta.dirname, '../../docs/disk-layout.md');

/** What docs/disk-layout.md names: `ROOT/containers/ID/record.json`; with a slash at its end, what is below is others'. */
export async function documentedPaths(): Promise<string[]> {
  const text = await readFile(DOCUMENT, 'utf8');
  return [...text.matchAll(/^\| `((?:ROOT|RUN)\/[^`]+)` \|/gm)].map(([, path]) => path!);
}

/** Matches what a documented path stands for: `ID` is an object's id, any other word in capitals a name. */
export function matcherOf(documented: string): RegExp {
  const [top = '', ...parts] = documented.replace(/\/$/, '').split('/');
  const part = (text: string): string =>
    text.replaceAll('.', '\\.').replaceAll(/[A-Z]+/g, (word) => (word === 'ID' ? '[0-9a-f]{64}' : '[^/]+'));
  return new RegExp(`^${[top, ...parts.map(part)].join('/')}${documented.endsWith('/') ? '(/.*)?' : ''}$`, 's');
}
