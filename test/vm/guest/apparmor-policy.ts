/** The AppArmor policy of the guest's kernel, changed as its owner would. */
import { readFile, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { PATIENCE_MS } from './node.ts';

export const PARSER = '/usr/sbin/apparmor_parser';

const APPARMORFS = '/sys/kernel/security/apparmor';

/** Names and modes. */
export async function loadedProfiles(): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(`${APPARMORFS}/profiles`, 'utf8');
  return new Map([...text.matchAll(/^(.+) \((\w+)\)$/gm)].map(([, name = '', mode = '']) => [name, mode]));
}

export async function loadProfile(text: string): Promise<void> {
  await execa(PARSER, ['--replace'], { input: text, timeout: PATIENCE_MS });
}

/** What runs under it is unconfined then. */
export async function unloadProfile(name: string): Promise<void> {
  await writeFile(`${APPARMORFS}/.remove`, name);
}
