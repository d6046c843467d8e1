import { STEP_SECONDS } from './call-metrics.ts';
import type { MetricSpecs } from './metric-spec.ts';

/** Pods, containers, and the programs that are run for them. */
export const NODE_METRICS = {
  sandboxes: {
    name: 'sandboxes',
    kind: 'gauge',
    labels: ['state'],
    help: 'Pod sandboxes by state; ARCHITECTURE.md draws the states.',
  },
  containers: {
    name: 'containers',
    kind: 'gauge',
    labels: ['state'],
    help: 'Containers by state.',
  },
  containerExits: {
    name: 'container_exits_total',
    kind: 'counter',
    labels: ['reason'],
    help: 'Containers that have ended, by reason: `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, `NodeRebooted` or `Unknown`.',
  },
  cniSeconds: {
    name: 'cni_plugin_duration_seconds',
    kind: 'histogram',
    labels: ['plugin', 'verb', 'outcome'],
    help: 'Time of CNI plugins, by plugin (`other` after a hundred of them), verb (ADD, DEL, CHECK, STATUS, GC, VERSION) and `outcome`: `ok` or `failed`.',
    buckets: STEP_SECONDS,
  },
  spawns: {
    name: 'program_starts_total',
    kind: 'counter',
    labels: ['program', 'outcome'],
    help: 'Programs that the daemon has started: OCI runtimes, conmon and criu by name, `CNI plugin`, or `other`; by `outcome`: `ok`, or `failed` where it could not be started.',
  },
} as const satisfies MetricSpecs;
