import { DaemonError, fail, hasErrno, messageOf } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { run } from '../linux/spawn.ts';
import type { RunResult } from '../linux/spawn.ts';
import type { Credentials } from './credentials.ts';

const OUTPUT_LIMIT_BYTES = 64 * 1024;
/** What a helper prints that has nothing for a registry: docker-credential-helpers, credentials/error.go. */
const NOT_FOUND = 'credentials not found in native keychain';
/** The user name of a secret that is an identity token. */
const TOKEN_USER = '<token>';

export interface HelperOptions {
  /** All that the program gets. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks `docker-credential-NAME get` for a registry; undefined where it has nothing. Of what it prints nothing is told: it may be
 * the secret all the same.
 * @throws FailedPrecondition, DeadlineExceeded; the signal's reason.
 */
export async function askCredentialHelper(
  name: string,
  registry: string,
  { environment, timeoutMs, signal }: HelperOptions,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  let result: RunResult;
  try {
    result = await run(program, {
      args: ['get'],
      input: registry,
      env: environment,
      timeoutMs,
      outputLimitBytes: OUTPUT_LIMIT_BYTES,
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    return fail('FailedPrecondition', `${program}: ${whyNotRun(error, timeoutMs)}`);
  }
  const stdout = result.stdout.toString('utf8').trim();
  if (result.exit.code !== 0) {
    if (stdout === NOT_FOUND) return undefined;
    const end = result.exit.code === undefined ? `signal ${result.exit.signal}` : `exit code ${result.exit.code}`;
    return fail('FailedPrecondition', `${program}: get for ${registry}: ${end}; what it says is not shown, run it by hand`);
  }
  return readAnswer(stdout) ?? fail('FailedPrecondition', `${program}: get for ${registry}: must print JSON with Username and Secret`);
}

/** Without what the program has said, which the error of a run that was ended carries. */
function whyNotRun(error: unknown, timeoutMs: number): string {
  if (hasErrno(error, 'ENOENT')) return 'not found in PATH';
  if (!(error instanceof DaemonError)) return messageOf(error);
  return error.kind === 'DeadlineExceeded' ? `get: not finished after ${timeoutMs / 1000} s` : 'get: prints too much';
}

function readAnswer(stdout: string): Credentials | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    return undefined;
  }
  if (!isObject(answer)) return undefined;
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== 'string' || typeof secret !== 'string') return undefined;
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}
