import type { CompoundFieldOwners, FieldOwners } from '../../api/nri/messages.ts';
import type { Field } from '../../api/nri/enums.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';

/** A part of what an NRI plugin asks for: the field that plugins own it by, and for one of several its key. */
export interface AskedPart {
  readonly field: Field;
  readonly key?: string | undefined;
}

/** Throws; the words say what was asked and what must be. */
export type Refuse = (part: AskedPart, words: string) => never;

/** Most of a refusal's words, characters: some repeat what a plugin has sent. */
const WORDS_LIMIT = 1000;

/** Refuses parts of an adjustment in the name of the plugin that asked for them. All of it is FailedPrecondition: the request itself is right. */
export function refuserOf(doing: string, owners: FieldOwners | undefined): Refuse {
  return (part, words) => {
    const shown = words.length > WORDS_LIMIT ? `${words.slice(0, WORDS_LIMIT)}...` : words;
    return fail('FailedPrecondition', `${doing}: ${pluginOf(part, owners)}: ${shown}`);
  };
}

function pluginOf({ field, key }: AskedPart, owners: FieldOwners | undefined): string {
  const compound: CompoundFieldOwners | undefined = owners?.compound[field];
  const ofKey = key !== undefined && compound !== undefined && Object.hasOwn(compound.owners, key) ? compound.owners[key] : undefined;
  const name = owners?.simple[field] ?? ofKey;
  return name === undefined ? 'an NRI plugin' : `NRI plugin ${name}`;
}

/** Runs a check that a request goes through too, and refuses with its words. @param partOf the part that they are of. */
export function refusedAs<T>(refuse: Refuse, partOf: (words: string) => AskedPart, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return refuse(partOf(messageOf(error)), messageOf(error));
  }
}

/** What a plugin puts in front of a key that it takes away. */
const REMOVAL = '-';

/** The key that an entry is of, and whether it is taken away. */
export function entryKey(key: string): { readonly key: string; readonly isRemoved: boolean } {
  return key.startsWith(REMOVAL) ? { key: key.slice(1), isRemoved: true } : { key, isRemoved: false };
}

/** Refuses texts that no system call takes: what fails in the runtime does not say whose it is. */
export function refuseNul(texts: readonly string[], refuse: (words: string) => never): void {
  const broken = texts.find((text) => text.includes('\0'));
  if (broken !== undefined) refuse(`has ${quoted(broken)}, must be without a NUL byte`);
}

/** A text of a plugin, as far as it fits into a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 128 ? `${text.slice(0, 128)}...` : text);
}
