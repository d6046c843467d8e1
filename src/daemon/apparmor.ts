import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { messageOf, unlessMissing } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { apparmorProfileDigest, hasApparmorFile, loadApparmorProfile, loadedApparmorProfiles } from '../linux/apparmor.ts';
import { defaultApparmorProfile, DEFAULT_APPARMOR_PROFILE } from '../ocispec/apparmor-default.ts';
import { UNCONFINED, type ApparmorFacts } from '../ocispec/apparmor.ts';

/** Most the parser may take, milliseconds; it takes 20 to 50 on an idle node. */
const LOAD_TIMEOUT_MS = 30_000;
/** After a load that failed, how long until a request tries again, milliseconds: the parser may be installed by then. */
const RETRY_MS = 30_000;
/** The features that the built-in profile is written against; parsers of before 3.0 do not know them. */
const ABI = 'abi/3.0';

export interface ApparmorOptions {
  /** Whether AppArmor is on. */
  readonly isOn: boolean;
  /** What RuntimeDefault stands for, with each runtime handler: names of the node's owner; empty is the built-in one. */
  readonly profiles: readonly string[];
  /** Tells which built-in profile this boot has loaded. */
  readonly stateFile: string;
  /** The parser's environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** AppArmor of the node: sees to it that the profile of RuntimeDefault is in the kernel, and tells which others are. */
export class Apparmor {
  readonly #options: ApparmorOptions;
  #loading: Promise<void> | undefined;
  /** Of the last load; undefined where it worked. */
  #failure: { readonly why: string; readonly at: number } | undefined;

  constructor(options: ApparmorOptions) {
    this.#options = options;
  }

  /** Loads the profile, beside the rest of the start: requests wait for it. What will not be confined is said here, once. */
  async start(): Promise<void> {
    const { isOn, profiles, log } = this.#options;
    if (!isOn) return;
    try {
      if (profiles.some(isBuiltIn)) await this.#load();
      for (const profile of profiles) {
        const { runtimeDefault } = await this.#look(profile);
        if (runtimeDefault.is === 'Ready') continue;
        const outcome = runtimeDefault.isRequired
          ? 'containers that name no other profile are refused until it is'
          : 'containers that ask for none are not confined by it, and those that ask for RuntimeDefault are refused';
        log.warn(`AppArmor is on, but the profile of RuntimeDefault is not loaded: ${outcome}`, { error: runtimeDefault.why });
      }
    } catch (error) {
      log.warn('AppArmor is on, but its policy cannot be read: containers cannot be made', { error: messageOf(error) });
    }
  }

  /** As it is now, where RuntimeDefault stands for `profile`; undefined where AppArmor is off. */
  async facts(profile: string): Promise<ApparmorFacts | undefined> {
    if (!this.#options.isOn) return undefined;
    await this.#loading;
    const found = await this.#look(profile);
    if (found.runtimeDefault.is === 'Ready' || !isBuiltIn(profile)) return found;
    if (this.#failure !== undefined && Date.now() - this.#failure.at < RETRY_MS) return found;
    // Somebody has taken it out of the kernel (aa-remove-unknown does), or the parser has come since.
    await this.#load();
    return this.#look(profile);
  }

  async #look(profile: string): Promise<ApparmorFacts> {
    const loaded = await loadedApparmorProfiles();
    const name = isBuiltIn(profile) ? DEFAULT_APPARMOR_PROFILE : profile;
    if (loaded.has(name) || name === UNCONFINED) return { loaded, runtimeDefault: { is: 'Ready', name } };
    const why = isBuiltIn(profile)
      ? (this.#failure?.why ?? `${name} was taken out of the kernel`)
      : `apparmor_profile in the configuration is "${name}", which is not loaded on this node`;
    return { loaded, runtimeDefault: { is: 'Missing', why, isRequired: !isBuiltIn(profile) } };
  }

  /** Only one at a time. */
  async #load(): Promise<void> {
    this.#loading ??= this.#loadNow().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadNow(): Promise<void> {
    const { log } = this.#options;
    const begun = performance.now();
    try {
      const isNew = await this.#loadUnlessThere();
      this.#failure = undefined;
      log.info(`AppArmor: the profile ${DEFAULT_APPARMOR_PROFILE} is ${isNew ? 'loaded' : 'there already'}`, {
        durationMs: Math.round(performance.now() - begun),
      });
    } catch (error) {
      this.#failure = { why: messageOf(error), at: Date.now() };
    }
  }

  /** The kernel has only a digest of what the parser made of a text, so a file has both. @returns whether it had to be loaded. */
  async #loadUnlessThere(): Promise<boolean> {
    const { stateFile, environment } = this.#options;
    const text = defaultApparmorProfile((await hasApparmorFile(ABI)) ? ABI : undefined);
    const digest = createHash('sha256').update(text).digest('hex');
    const ours = await unlessMissing(readFile(stateFile, 'utf8'), '');
    const before = await apparmorProfileDigest(DEFAULT_APPARMOR_PROFILE);
    if (before !== undefined && ours === stateOf(digest, before)) return false;
    await loadApparmorProfile(text, environment, LOAD_TIMEOUT_MS);
    const now = await apparmorProfileDigest(DEFAULT_APPARMOR_PROFILE);
    // Without the kernel's digest the next start cannot tell, and loads it again.
    if (now !== undefined) await writeFileAtomic(stateFile, stateOf(digest, now), { durable: false });
    return true;
  }
}

function isBuiltIn(profile: string): boolean {
  return profile === '' || profile === DEFAULT_APPARMOR_PROFILE;
}

function stateOf(textDigest: string, kernelDigest: string): string {
  return `${textDigest} ${kernelDigest}\n`;
}
