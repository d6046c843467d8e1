import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError, messageOf, unlessMissing } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { readFileInRoot, readStartInRoot } from '../linux/files.ts';
import { MOST_BYTES_OF_A_PLUGIN } from './limits.ts';
import { splitPluginName } from './plugin-name.ts';

/** A plugin of the directory. */
export interface PluginFile {
  readonly path: string;
  readonly index: string;
  readonly name: string;
}

/** `\0asm` and version 1: https://webassembly.github.io/spec/core/binary/modules.html#binary-magic */
const WASM_MAGIC = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

/** The plugins of a directory, in the order of their names. What is none is named in a warning and left alone. */
export async function findPlugins(directory: string, log: Log): Promise<PluginFile[]> {
  const plugins: PluginFile[] = [];
  for (const fileName of await list(directory, log)) {
    const path = join(directory, fileName);
    const found = await examine(path, fileName).catch((error: unknown) => messageOf(error));
    if (typeof found === 'string') log.warn('a file of the NRI plugin directory is left alone', { path, reason: found });
    else plugins.push(found);
  }
  return plugins;
}

async function list(directory: string, log: Log): Promise<string[]> {
  try {
    return (await unlessMissing(readdir(directory), [])).sort();
  } catch (error) {
    log.warn('the NRI plugin directory cannot be read', { path: directory, error: messageOf(error) });
    return [];
  }
}

/** The plugin, or why it is none. */
async function examine(path: string, fileName: string): Promise<PluginFile | string> {
  const found = await stat(path);
  if (!found.isFile()) return 'it is no regular file';
  if ((found.mode & 0o111) === 0) return 'it is not executable';
  const parts = splitPluginName(fileName);
  if (parts === undefined) return 'its name is not INDEX-NAME with an index of two digits';
  if (await isWasm(path)) return 'it is a WebAssembly module, which podwright does not run; must be a program';
  return { path, ...parts };
}

async function isWasm(path: string): Promise<boolean> {
  return (await readStartInRoot('/', path, WASM_MAGIC.length)).equals(WASM_MAGIC);
}

/**
 * The configuration of a plugin as its file has it: INDEX-NAME.conf, else NAME.conf; empty where there is neither.
 * A file that is none (a pipe would keep us waiting) or has more than {@link MOST_BYTES_OF_A_PLUGIN} is not read.
 * @throws {DaemonError} FailedPrecondition where a file is there and cannot be read.
 */
export async function readConfiguration(directory: string, { index, name }: PluginFile): Promise<string> {
  for (const fileName of [`${index}-${name}.conf`, `${name}.conf`]) {
    const path = join(directory, fileName);
    try {
      const text = await unlessMissing(readFileInRoot('/', path, MOST_BYTES_OF_A_PLUGIN), undefined);
      if (text !== undefined) return text.toString();
    } catch (error) {
      throw new DaemonError('FailedPrecondition', `configuration of NRI plugin ${index}-${name}: ${messageOf(error)}`, { cause: error });
    }
  }
  return '';
}
