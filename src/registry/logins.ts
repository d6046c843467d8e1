import { messageOf } from '../base/errors.ts';
import type { Credentials } from './credentials.ts';
import type { FindCredentials } from './credential-source.ts';

/** What of an endpoint decides which credentials it may get. */
export interface LoginPlace {
  readonly host: string;
  readonly path: string;
  /** Whether it stands in for the registry. */
  readonly isMirror: boolean;
}

/** Who one endpoint is told that we are. */
export interface Login {
  /** What the request brought for this endpoint: known without a look. */
  readonly given: Credentials | undefined;
  /** For an endpoint that asks. Undefined where there is nothing for it, or it could not be found: that is a {@link Logins.faults}. */
  find(signal: AbortSignal): Promise<Credentials | undefined>;
}

/**
 * The credentials of one pull. Those of the request are for the registry itself, where they come first; a mirror never gets
 * them. All others are the node's, each looked up by the endpoint's own name when that asks, once.
 */
export class Logins {
  readonly #given: Credentials | undefined;
  readonly #find: FindCredentials | undefined;
  readonly #found = new Map<string, Promise<Credentials | undefined>>();
  readonly #faults = new Set<string>();

  constructor(given: Credentials | undefined, find?: FindCredentials) {
    this.#given = given;
    this.#find = find;
  }

  /** What was wrong where credentials were looked for. The pull went on without them. */
  get faults(): readonly string[] {
    return [...this.#faults];
  }

  of({ host, path, isMirror }: LoginPlace): Login {
    const given = isMirror ? undefined : this.#given;
    return { given, find: async (signal) => given ?? (await this.#lookUp(host, path, signal)) };
  }

  async #lookUp(host: string, path: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const key = `${host}/${path}`;
    const found = this.#found.get(key) ?? this.#ask(host, path, signal);
    this.#found.set(key, found);
    return await found;
  }

  async #ask(host: string, path: string, signal: AbortSignal): Promise<Credentials | undefined> {
    try {
      return (await this.#find?.(host, path, signal))?.credentials;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#faults.add(messageOf(error));
      return undefined;
    }
  }
}
