import type { SubjectName } from './subjects.ts';

/** Calls that are under way at once when the daemon is killed. */
export interface Operation {
  /** Images that are there when it begins. */
  readonly present: readonly SubjectName[];
  readonly pulls: readonly SubjectName[];
  readonly removes: readonly SubjectName[];
}

const operation = (present: readonly SubjectName[], pulls: readonly SubjectName[], removes: readonly SubjectName[] = []): Operation => ({
  present,
  pulls,
  removes,
});

export const OPERATIONS: readonly Operation[] = [
  operation([], ['one']),
  operation(['chunked'], ['chunked next']),
  // Where blobs are discarded, the second comes by the chunks that the first does not have.
  operation(['chunked'], ['chunked next'], ['chunked']),
  operation([], ['artifact']),
  operation(['one', 'other'], [], ['one']),
  operation(['one'], ['other'], ['one']),
  operation(['artifact'], ['chunked'], ['artifact']),
  operation([], ['one', 'other', 'artifact']),
  operation(['one'], ['one'], ['one']),
  operation(['chunked', 'chunked next', 'artifact'], [], ['chunked', 'artifact']),
  operation(['other', 'artifact'], ['artifact', 'one'], ['other', 'artifact']),
];

export function nameOf({ present, pulls, removes }: Operation): string {
  const say = (verb: string, names: readonly string[]): string[] => (names.length === 0 ? [] : [`${verb} ${names.join(', ')}`]);
  return [...say('pull', pulls), ...say('remove', removes), ...say('with', present)].join('; ');
}

/** What is there when all calls were answered; undefined where the order in which the daemon takes them decides. */
export function outcomeOf({ present, pulls, removes }: Operation): SubjectName[] | undefined {
  if (pulls.some((name) => removes.includes(name))) return undefined;
  return [...present.filter((name) => !removes.includes(name)), ...pulls];
}
