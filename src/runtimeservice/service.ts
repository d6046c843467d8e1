import { attach } from './attach.ts';
import { exec } from './exec.ts';
import { portForward } from './port-forward.ts';
import { checkpointContainer } from './checkpoint-container.ts';
import { checkpointPodRpc } from './checkpoint-pod.ts';
import { containerStatus } from './container-status.ts';
import { createContainer } from './create-container.ts';
import { execSyncRpc } from './exec-sync.ts';
import { getContainerEvents } from './get-container-events.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import { listContainers, streamContainers } from './list-containers.ts';
import { listPodSandbox, streamPodSandboxes } from './list-pod-sandbox.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { listMetricDescriptors, listPodSandboxMetrics, streamPodSandboxMetrics } from './pod-metrics.ts';
import { podSandboxStatusRpc } from './pod-sandbox-status.ts';
import { removeContainer } from './remove-container.ts';
import { removePodSandbox } from './remove-pod-sandbox.ts';
import { reopenContainerLog } from './reopen-container-log.ts';
import { restorePodRpc } from './restore-pod.ts';
import { runPodSandbox } from './run-pod-sandbox.ts';
import { runtimeConfig, updateRuntimeConfig } from './runtime-config.ts';
import { startContainer } from './start-container.ts';
import {
  containerStats,
  listContainerStats,
  listPodSandboxStats,
  podSandboxStats,
  streamContainerStats,
  streamPodSandboxStats,
} from './stats.ts';
import { status } from './status.ts';
import { stopContainer } from './stop-container.ts';
import { stopPodSandbox } from './stop-pod-sandbox.ts';
import { updateContainerResources, updatePodSandboxResources } from './update-container-resources.ts';
import { version } from './version.ts';

/** The CRI's RuntimeService: one entry per RPC. */
export function runtimeService(parts: RuntimeServiceParts): RuntimeServiceHandlers {
  return {
    version,
    status: status(parts),
    runtimeConfig: runtimeConfig(parts),
    updateRuntimeConfig,
    runPodSandbox: runPodSandbox(parts),
    stopPodSandbox: stopPodSandbox(parts),
    removePodSandbox: removePodSandbox(parts),
    podSandboxStatus: podSandboxStatusRpc(parts),
    listPodSandbox: listPodSandbox(parts),
    streamPodSandboxes: streamPodSandboxes(parts),
    createContainer: createContainer(parts),
    startContainer: startContainer(parts),
    stopContainer: stopContainer(parts),
    removeContainer: removeContainer(parts),
    containerStatus: containerStatus(parts),
    listContainers: listContainers(parts),
    streamContainers: streamContainers(parts),
    reopenContainerLog: reopenContainerLog(parts),
    execSync: execSyncRpc(parts),
    exec: exec(parts),
    attach: attach(parts),
    portForward: portForward(parts),
    updateContainerResources: updateContainerResources(parts),
    updatePodSandboxResources: updatePodSandboxResources(parts),
    containerStats: containerStats(parts),
    listContainerStats: listContainerStats(parts),
    streamContainerStats: streamContainerStats(parts),
    podSandboxStats: podSandboxStats(parts),
    listPodSandboxStats: listPodSandboxStats(parts),
    streamPodSandboxStats: streamPodSandboxStats(parts),
    getContainerEvents: getContainerEvents(parts),
    listMetricDescriptors,
    listPodSandboxMetrics: listPodSandboxMetrics(parts),
    streamPodSandboxMetrics: streamPodSandboxMetrics(parts),
    checkpointContainer: checkpointContainer(parts),
    checkpointPod: checkpointPodRpc(parts),
    restorePod: restorePodRpc(parts),
  };
}
