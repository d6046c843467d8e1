import { CONTAINER_CASES } from './container-cases.ts';
import { NODE_CASES } from './node-cases.ts';
import { RUNTIME_CLASS_CASES } from './runtime-class-cases.ts';
import { STREAM_CASES } from './stream-cases.ts';
import { UPGRADE_CASES } from './upgrade-cases.ts';
import { VOLUME_CASES } from './volume-cases.ts';
import { WORKLOAD_CASES } from './workload-cases.ts';
import type { Case } from './world.ts';

export const CLUSTER_CASES: readonly Case[] = [
  ...WORKLOAD_CASES,
  ...CONTAINER_CASES,
  ...RUNTIME_CLASS_CASES,
  ...VOLUME_CASES,
  ...STREAM_CASES,
  ...NODE_CASES,
  ...UPGRADE_CASES,
];
