import type { World } from './world.ts';

export interface Case {
  readonly name: string;
  readonly run: (world: World) => Promise<void>;
}

/** Thrown by a case that cannot be tried here. */
export class Skipped extends Error {}
