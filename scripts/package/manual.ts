/** The manual and the completions of shells, which the program prints of itself: so they are of the commands that it has. */
import { readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { execa } from 'execa';
import { outputFile } from 'fs-extra/esm';

/** Where the packages of the shells on Debian look. */
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/podwright',
  zsh: 'usr/share/zsh/vendor-completions/_podwright',
  fish: 'usr/share/fish/vendor_completions.d/podwright.fish',
} as const;

/** @param program the directory of the staged program. @param tree stands for the root of a file system. */
export async function layManual(program: string, tree: string): Promise<void> {
  // By this machine's Node: the program's may be another's.
  const podwright = join(program, 'dist/client.js');
  const pages = join(tree, 'usr/share/man');
  await execa(process.execPath, [podwright, 'man', '--output', pages]);
  for (const entry of await readdir(pages, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await compress(join(entry.parentPath, entry.name));
  }
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    const { stdout } = await execa(process.execPath, [podwright, 'completion', shell]);
    await outputFile(join(tree, path), `${stdout}\n`);
  }
}

/** As gzip -9n does: neither the name nor the time is in it. */
export async function compress(file: string): Promise<void> {
  await writeFile(`${file}.gz`, await promisify(gzip)(await readFile(file), { level: 9 }));
  await unlink(file);
}
