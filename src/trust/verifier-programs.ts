import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { settledWithin } from '../base/deadline.ts';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { run } from '../linux/spawn.ts';
import type { RunResult } from '../linux/spawn.ts';

export interface VerifierPlaces {
  /** Empty: no program is asked. */
  readonly verifierBinDir: string;
  /** How many of them are asked; -1: all. */
  readonly verifierMax: number;
  readonly verifierTimeoutMs: number;
}

/** What a name leads to before a platform is chosen: of an image for several platforms, the index. */
export interface PulledImage {
  readonly name: string;
  readonly descriptor: { readonly mediaType: string; readonly digest: Digest; readonly size: number };
}

export interface VerifierParts {
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** Most that is read of what a program says, as containerd has it. */
const OUTPUT_LIMIT_BYTES = 32 * 1024;
/** Most of it in a refusal, characters. */
const SHOWN_REASON = 1000;
const MEDIA_TYPE = 'application/vnd.oci.descriptor.v1+json';

/**
 * Asks containerd's image verifiers (docs/image-verification.md): programs that say by their exit whether an image may be pulled. All must
 * agree; the first that does not is the last that is asked.
 * @throws SignatureValidationFailed, also where one cannot be started or takes too long.
 */
export async function runVerifiers(places: VerifierPlaces, parts: VerifierParts, image: PulledImage, signal: AbortSignal): Promise<void> {
  const { verifierBinDir, verifierMax } = places;
  const names = await programsIn(places);
  const asked = verifierMax < 0 ? names : names.slice(0, verifierMax);
  if (asked.length < names.length)
    parts.log.warn(
      `${names.length - asked.length} image verifiers are left out: there are ${names.length}, image.verifier_max is ${verifierMax}`,
      { path: verifierBinDir },
    );
  for (const name of asked) await ask(join(verifierBinDir, name), places, parts, image, signal);
}

async function programsIn({ verifierBinDir, verifierTimeoutMs }: VerifierPlaces): Promise<string[]> {
  const reading = readdir(verifierBinDir);
  try {
    if (!(await settledWithin(reading, verifierTimeoutMs))) throw new Error(`reading it took over ${verifierTimeoutMs} ms`);
    return (await reading).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw refusal(`image.verifier_bin_dir ${verifierBinDir}: ${messageOf(error)}`, error);
  }
}

async function ask(
  program: string,
  { verifierTimeoutMs }: VerifierPlaces,
  { environment, log }: VerifierParts,
  image: PulledImage,
  signal: AbortSignal,
): Promise<void> {
  const args = ['-name', image.name, '-digest', image.descriptor.digest, '-stdin-media-type', MEDIA_TYPE];
  let result: RunResult;
  try {
    result = await run(program, {
      args,
      env: environment,
      input: `${JSON.stringify(image.descriptor)}\n`,
      timeoutMs: verifierTimeoutMs,
      outputLimitBytes: OUTPUT_LIMIT_BYTES,
      mayBeCut: true,
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw refusal(`the verifier ${program} has no result: ${messageOf(error)}`, error);
  }
  const said = result.stderr.toString('utf8').trim();
  if (said !== '') log.debug(`an image verifier said: ${said}`, { path: program, image: image.name });
  if (result.exit.code === 0) return;
  const how = result.exit.signal === undefined ? `exit code ${result.exit.code}` : `signal ${result.exit.signal}`;
  const reason = result.stdout.toString('utf8').trim();
  throw refusal(`the verifier ${program} refuses it (${how})${reason === '' ? '' : `: ${reason.slice(0, SHOWN_REASON)}`}`);
}

function refusal(words: string, cause?: unknown): DaemonError {
  return new DaemonError('SignatureValidationFailed', words, { cause });
}
