import { sleep } from '../base/deadline.ts';
import { fail, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { HandlerFeatures } from './answers.ts';
import type { OciRuntime } from './oci-runtime.ts';

/** Of a runtime that says nothing. */
export const NO_FEATURES: HandlerFeatures = {
  recursiveReadOnlyMounts: false,
  idmapMounts: false,
  netDevices: false,
  userNamespace: false,
  checkpoints: false,
  scheduling: false,
  timeNamespace: false,
  rdtSchemata: false,
  rdtMonitoring: false,
  leavesNothing: false,
  memoryPolicy: false,
};

/** When a runtime that did not say what it can do is asked again, and how long it may then take, milliseconds. */
const AGAIN = { firstMs: 5_000, mostMs: 300_000, timeoutMs: 60_000 };

/** A default that is chosen: the preferred handler where it may be and can be, else the name given. */
export interface AutoDefault {
  readonly preferred: string;
  readonly allowed: boolean;
}

/** The OCI runtimes of this node by runtime handler name. The empty name is the default one. */
export class RuntimeHandlers {
  readonly #auto: AutoDefault | undefined;
  #defaultName: string;
  readonly #runtimes: ReadonlyMap<string, OciRuntime>;
  readonly #features = new Map<string, HandlerFeatures>();
  /** Those that did not answer: they may be able to do more than they could say. */
  readonly #silent = new Set<string>();
  #nodeLacks: string | undefined = 'this node has not been asked yet whether it can';

  /** @param auto the default is chosen by {@link probe}, when the runtimes have said what they can do. */
  constructor(defaultName: string, runtimes: ReadonlyMap<string, OciRuntime>, auto?: AutoDefault) {
    this.#defaultName = defaultName;
    this.#auto = auto;
    this.#runtimes = runtimes;
  }

  get defaultName(): string {
    return this.#defaultName;
  }

  get names(): string[] {
    return [...this.#runtimes.keys()];
  }

  /** @throws InvalidArgument that lists the known handlers. */
  get(name: string): OciRuntime {
    const wanted = name === '' ? this.defaultName : name;
    return (
      this.#runtimes.get(wanted) ??
      fail('InvalidArgument', `runtime_handler is "${wanted}", which is not configured, must be one of: ${this.names.join(', ')}`)
    );
  }

  /** Asks every runtime what it can do. One that does not say, within 2 s, is taken to have no optional feature until {@link askAgain} knows better. */
  async probe(log: Log): Promise<void> {
    await Promise.all(
      [...this.#runtimes].map(async ([name, runtime]) => {
        try {
          this.#features.set(name, (await runtime.features()) ?? NO_FEATURES);
        } catch (error) {
          this.#silent.add(name);
          log.warn(`runtime handler ${name}: ${runtime.path} cannot be asked for its features, and is taken to have no optional one`, {
            error: messageOf(error),
          });
        }
      }),
    );
    if (this.#auto === undefined) return;
    if (this.#auto.allowed && this.#canReplaceRunc(this.#auto.preferred)) this.#defaultName = this.#auto.preferred;
    log.info(`pods that name no runtime handler get ${this.#defaultName}, chosen by runtime.default = "auto"`);
  }

  /**
   * Asks those that did not answer until they do: a busy node must not be without user namespaces until its daemon is started anew.
   * The default that was chosen stays, so that the same request gets the same handler.
   */
  async askAgain(log: Log, signal: AbortSignal, firstMs = AGAIN.firstMs): Promise<void> {
    const ask = async (name: string): Promise<void> => {
      for (let pauseMs = firstMs; ; pauseMs = Math.min(2 * pauseMs, AGAIN.mostMs)) {
        await sleep(pauseMs, signal);
        if (signal.aborted) return;
        const features = await this.#runtimes
          .get(name)
          ?.features(AGAIN.timeoutMs, signal)
          .then(
            (told) => told ?? NO_FEATURES,
            () => undefined,
          );
        if (features === undefined) continue;
        this.#features.set(name, features);
        this.#silent.delete(name);
        log.info(`runtime handler ${name}: its runtime has told its features now`);
        return;
      }
    };
    await Promise.all([...this.#silent].map(ask));
  }

  /** Whether a runtime is there that can do what the newest runc can. */
  #canReplaceRunc(name: string): boolean {
    const { recursiveReadOnlyMounts, idmapMounts, userNamespace } = this.features(name);
    return this.#runtimes.has(name) && recursiveReadOnlyMounts && idmapMounts && userNamespace;
  }

  /** What the node itself lacks for pods with user namespaces, in words; undefined where it lacks nothing. */
  set nodeLacks(words: string | undefined) {
    this.#nodeLacks = words;
  }

  /** Why a pod of this handler can have no user namespace, in words; undefined where it can. */
  lacksForUserNamespaces(name: string): string | undefined {
    if (this.#nodeLacks !== undefined) return this.#nodeLacks;
    const { idmapMounts, userNamespace } = this.features(name);
    if (idmapMounts && userNamespace) return undefined;
    const { path } = this.get(name);
    return `${path}, the runtime of handler "${name === '' ? this.defaultName : name}", does not say in its features that it has ${idmapMounts ? 'user namespaces' : 'id-mapped mounts, as runc 1.2 or crun 1.9 and later do'}`;
  }

  /** Why nothing of this handler can be checkpointed or restored, whatever CRIU says, in words; undefined where it can, or could not say. */
  lacksForCheckpoints(name: string): string | undefined {
    if (this.features(name).checkpoints || this.#silent.has(name === '' ? this.defaultName : name)) return undefined;
    const { path } = this.get(name);
    return `${path}, the runtime of handler "${name === '' ? this.defaultName : name}", does not say in its features that it can checkpoint, as runc 1.1 and a crun with CRIU do`;
  }

  features(name: string): HandlerFeatures {
    return this.#features.get(name === '' ? this.defaultName : name) ?? NO_FEATURES;
  }
}
