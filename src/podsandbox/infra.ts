import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import { writeSmallFile } from '../linux/memory-files.ts';
import { labelFile } from '../linux/selinux.ts';
import { exitOf, SIGKILL, signalProcess } from '../linux/process.ts';
import { removeExitFiles } from '../ociruntime/exit-directory.ts';
import { createMonitored } from '../ociruntime/monitor.ts';
import type { MonitorRequest } from '../ociruntime/spawn-monitor.ts';
import { buildSpec } from '../ocispec/build.ts';
import { planInfra } from '../ocispec/infra.ts';
import { readLocalhostSeccomp } from '../ocispec/seccomp-file.ts';
import { specToJson } from '../ocispec/spec-json.ts';
import { sweepContainer } from '../ociruntime/sweep.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { pauseProgram } from './pause-program.ts';
import { infraRootfs, type PodNamespaces } from './sandbox-paths.ts';
import { labelsOfContainer } from './selinux.ts';
import type { InfraProcess, SandboxRecord } from './sandbox.ts';

/** How long a killed infra process may take to go, milliseconds. */
const KILL_WAIT_MS = 10_000;

/** Writes the root file system that all infra containers share, read-only: the pause program and its mount points. */
export async function prepareInfraRootfs({ directories, selinux }: Pick<SandboxParts, 'directories' | 'selinux'>): Promise<void> {
  const rootfs = infraRootfs(directories);
  const inside = ['proc', 'dev', 'sys'].map((name) => join(rootfs, name));
  for (const directory of inside) await mkdir(directory, { recursive: true, mode: 0o755 });
  const program = join(rootfs, 'pause');
  const content = pauseProgram(process.arch);
  // One that is right is left alone: a daemon must start on a disk that is full.
  if ((await unlessMissing(readFile(program), undefined))?.equals(content) !== true) {
    await rm(program, { force: true });
    await writeFile(program, content);
  }
  await chmod(program, 0o555);
  // Without a category, for every pod's.
  if (selinux !== undefined) for (const path of [rootfs, ...inside, program]) labelFile(path, selinux.defaults.mount);
}

/** Starts the tiny process that keeps the pod's shared PID namespace alive, as process 1 of it. */
export async function startInfra(
  parts: SandboxParts,
  record: SandboxRecord,
  namespaces: PodNamespaces,
  work: AbortSignal,
): Promise<InfraProcess> {
  const { infra: bundle, infraLog } = pathsOf(parts, record.id);
  await mkdir(bundle.persistDirectory, { recursive: true, mode: 0o700 });
  const settings = parts.specSettings(record.runtimeHandler);
  const plan = planInfra(record.config, settings, parts.hostFacts(), await parts.apparmor(record.runtimeHandler));
  const spec = buildSpec({
    kind: 'infra',
    sandboxId: record.id,
    sandboxConfig: record.config,
    rootfsPath: infraRootfs(parts.directories),
    namespaces,
    userMapping: record.namespaces.user,
    selinux: labelsOfContainer(record, record.config.linux?.securityContext, parts.selinux),
    cgroupsPath: record.cgroupsPath ?? parts.placement.cgroupsPath(record.cgroupParent, record.id),
    plan,
    localhostSeccomp: await readLocalhostSeccomp(plan.seccomp, 'run pod sandbox'),
    settings,
    host: parts.hostFacts(),
    annotations: parts.placement.runtimeAnnotations('infra'),
  });
  await writeSmallFile(bundle.specFile, specToJson(spec), 0o600);
  const runtime = parts.runtimes.get(record.runtimeHandler);
  const request: MonitorRequest = {
    containerId: record.id,
    name: `${record.name}_infra`,
    bundle,
    logPath: infraLog,
    terminal: false,
    stdin: false,
    stdinOnce: false,
    placeMonitor: async (pid) => parts.placement.placeMonitor(record.cgroupParent, record.id, pid),
    timeoutMs: parts.createTimeoutMs(record.runtimeHandler),
    signal: work,
  };
  const created = await createMonitored(parts.monitor, runtime, request, {
    isPlacedFirst: !parts.runtimes.features(record.runtimeHandler).leavesNothing,
  });
  stage('sandbox.infra.created');
  await runtime.start(record.id, work);
  stage('sandbox.infra.started');
  return { process: created.process, monitor: created.monitor };
}

/** Ends the infra process and removes all of its container. Idempotent. */
export async function removeInfra(parts: SandboxParts, record: SandboxRecord, infra: InfraProcess | undefined): Promise<void> {
  if (infra !== undefined) {
    await signalProcess(infra.process, SIGKILL);
    const patience = AbortSignal.timeout(KILL_WAIT_MS);
    await Promise.all([exitOf(infra.process, patience), exitOf(infra.monitor, patience)]).catch((error: unknown) => {
      parts.log.warn('the infra process does not end; its cgroup is killed', { sandboxId: record.id, error: messageOf(error) });
    });
  }
  stage('sandbox.infra.killed');
  await sweepContainer({
    runtime: parts.runtimes.get(record.runtimeHandler),
    placement: parts.placement,
    cgroupParent: record.cgroupParent,
    cgroupsPath: record.cgroupsPath,
    containerId: record.id,
    monitorKnown: infra !== undefined,
  });
  await removeExitFiles(parts.monitor.exitDirectory, record.id);
  await rm(pathsOf(parts, record.id).infra.directory, { recursive: true, force: true });
}
