import { STANDARD_PATH } from '../linux/spawn.ts';

/** The environment of every program that we start; nothing of ours leaks into it. */
export const CHILD_ENVIRONMENT = { PATH: STANDARD_PATH } as const;
