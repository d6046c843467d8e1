import { DaemonError, messageOf } from '../base/errors.ts';
import { readFileInRoot } from '../linux/files.ts';
import type { SeccompChoice } from './seccomp.ts';
import { parseSeccompProfile, type SeccompProfile } from './seccomp-profile.ts';

/** Most a seccomp profile may have, bytes. */
const LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * The profile of a Localhost choice, from its file; undefined for any other choice. `doing` begins the message.
 * @throws InvalidArgument where it cannot be read or is none.
 */
export async function readLocalhostSeccomp(choice: SeccompChoice, doing: string): Promise<SeccompProfile | undefined> {
  if (choice.use !== 'Localhost') return undefined;
  try {
    return parseSeccompProfile((await readFileInRoot('/', choice.path, LIMIT_BYTES)).toString());
  } catch (error) {
    throw new DaemonError('InvalidArgument', `${doing}: the seccomp profile ${choice.path} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
