/** The licences of others whose work is in the program. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from 'fs-extra/esm';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/**
 * Name, version, kind and text of the licence of every package that these files belong to, as one text.
 * @param paths from the repository: files below node_modules, and others, which do not count.
 * @param more directories of packages, wherever they lie.
 * @throws where a package has none, neither a text nor a name.
 */
export async function thirdPartyLicences(repository: string, paths: readonly string[], more: readonly string[]): Promise<string> {
  const packages = paths.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  const texts = await Promise.all([...new Set([...packages.map((path) => join(repository, path)), ...more])].map(licenceOf));
  return texts.sort().join(`\n${'-'.repeat(78)}\n\n`);
}

async function licenceOf(directory: string): Promise<string> {
  const { name, version, license } = (await readJson(join(directory, 'package.json'))) as Record<string, string | undefined>;
  const files = (await readdir(directory)).filter((file) => LICENCE_FILE.test(file)).sort();
  if (files.length === 0 && license === undefined) throw new Error(`${directory} has no licence, must have one to be handed on`);
  const parts = await Promise.all(files.map(async (file) => readFile(join(directory, file), 'utf8')));
  return [`${name ?? ''} ${version ?? ''}, ${license ?? 'licence below'}\n`, ...parts.map((text) => `\n${text.trim()}\n`)].join('');
}
