import type { PodResources, Sandbox } from './sandbox.ts';

/**
 * Who else takes part in the life of sandboxes: asked before a step, which it may refuse, or told of one. A step of ours is
 * handed in, so that what must be done round it (nobody joins while it runs, what was told is taken back) has one place.
 */
export interface SandboxLifecycle {
  /**
   * A sandbox has all that it needs but the record that shows it.
   * @param sandbox as `finish` records it.
   * @param work ends the waiting for an answer.
   * @throws a refusal, what `finish` throws, or the reason of `work`. The others have been told then that it is gone.
   */
  run(sandbox: Sandbox, work: AbortSignal, finish: () => Promise<void>): Promise<void>;
  /** The needs of a pod change. @throws a refusal, or what `apply` throws. */
  update(sandbox: Sandbox, told: PodResources, apply: () => Promise<void>): Promise<void>;
  /** Its containers have ended, and its network is still there. Told once, however often it is called. Never rejects. */
  stop(sandbox: Sandbox): Promise<void>;
  /** It is being removed, which `begin` records. @throws what `begin` throws. */
  remove(sandbox: Sandbox, begin: () => Promise<void>): Promise<void>;
}

/** Nobody else takes part. */
export const noSandboxLifecycle: SandboxLifecycle = {
  run: async (_sandbox, _work, finish) => finish(),
  update: async (_sandbox, _told, apply) => apply(),
  stop: async () => Promise.resolve(),
  remove: async (_sandbox, begin) => begin(),
};
