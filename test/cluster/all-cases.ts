import { CONTAINER_CASES } from './container-cases.ts';
import { NODE_CASES } from './node-cases.ts';
import { STREAM_CASES } from './stream-cases.ts';
import { VOLUME_CASES } from './volume-cases.ts';
import { WORKLOAD_CASES } from './workload-cases.ts';
import type { Case } from './world.ts';

export const CLUSTER_CASES: readonly Case[] = [...WORKLOAD_CASES, ...CONTAINER_CASES, ...VOLUME_CASES, ...STREAM_CASES, ...NODE_CASES];
