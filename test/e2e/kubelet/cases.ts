import type { World } from './world.ts';

export interface Case {
  readonly name: string;
  readonly run: (world: World) => Promise<void>;
}
