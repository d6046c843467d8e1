import assert from 'node:assert/strict';
import { access, glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const REPOSITORY = join(import.meta.dirname, '../../..');

async function documents(): Promise<string[]> {
  return Array.fromAsync(glob(['*.md', 'docs/**/*.md', 'api/**/*.md'], { cwd: REPOSITORY }));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

test('every link of a document to a file of the repository leads to one', async () => {
  const broken: string[] = [];
  for (const document of await documents()) {
    const text = await readFile(join(REPOSITORY, document), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!(await exists(join(REPOSITORY, dirname(document), target)))) broken.push(`${document}: ${target}`);
    }
  }

  assert.deepEqual(broken, []);
});

test('every source file that a document names is there', async () => {
  const sources = await Array.fromAsync(glob(['{src,test,api,scripts}/**/*.{ts,proto}'], { cwd: REPOSITORY }));
  const missing: string[] = [];
  for (const document of await documents()) {
    if (document === 'CHANGELOG.md' || document.startsWith('docs/decisions/')) continue; // they tell of their own time
    const text = await readFile(join(REPOSITORY, document), 'utf8');
    for (const [, name = ''] of text.matchAll(/`([\w/.-]+\.ts)`/g)) {
      // `container/exits.ts` and `restart.test.ts` are the ends of their paths.
      if (!sources.some((source) => source === name || source.endsWith(`/${name}`))) missing.push(`${document}: ${name}`);
    }
  }

  assert.deepEqual(missing, []);
});
