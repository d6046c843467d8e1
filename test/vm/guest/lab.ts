/** Pods and containers of the guest whose security contexts matter. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import type { Init, LinuxContainerSecurityContext, LinuxSandboxSecurityContext, Mount } from '../../../api/cri/runtime.ts';
import { containerConfig, execSync, failureOf, podConfig, removePod, shell, waitForOutput } from '../../support/pods.ts';
import type { Pod, PodOptions } from '../../support/pods.ts';
import { PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';

export type Security = Init<LinuxContainerSecurityContext>;

export interface LabPod {
  readonly runtime?: string;
  readonly security?: Init<LinuxSandboxSecurityContext>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Ends by itself when told to, with a code of its own. */
const WAITER = shell("trap 'exit 5' TERM; echo ready; while :; do sleep 1; done");

/** Pods and containers with the security context that a case wants. */
export class Lab {
  readonly node: GuestNode;
  readonly #image: string;
  readonly #runtime: string;
  #count = 0;

  constructor(node: GuestNode, image: string, runtime = 'runc') {
    this.node = node;
    this.#image = image;
    this.#runtime = runtime;
  }

  /** A pod without a network of its own, which would take most of the time. It is removed whatever becomes of the work. */
  async inPod(
    { runtime = this.#runtime, security = {}, annotations = {} }: LabPod,
    work: (pod: Pod) => Promise<void>,
    namespaces: PodOptions['namespaces'] = {},
  ): Promise<void> {
    const config = podConfig(this.node, { namespaces: { network: NamespaceMode.NODE, ...namespaces } });
    const context = { ...config.linux?.securityContext, ...security };
    const linux = { ...config.linux, cgroupParent: '', securityContext: context };
    const wanted = { ...config, hostname: '', annotations: { ...config.annotations, ...annotations }, linux };
    const { podSandboxId } = await this.node.runtime.runPodSandbox({ config: wanted, runtimeHandler: runtime });
    try {
      await work({ id: podSandboxId, config: wanted });
    } finally {
      await removePod(this.node, podSandboxId);
    }
  }

  /** With these mounts besides, and each labelled, as the kubelet asks for its own volumes. @param image or the archive of a checkpoint. */
  async create(pod: Pod, security: Security = {}, mounts: readonly Init<Mount>[] = [], image = this.#image): Promise<string> {
    this.#count += 1;
    const config = await containerConfig(pod, WAITER, { name: `c${this.#count}`, image });
    const context = { ...config.linux?.securityContext, ...security };
    const own = (config.mounts ?? []).map((mount) => ({ ...mount, selinuxRelabel: true }));
    const wanted = { ...config, mounts: [...own, ...mounts], linux: { ...config.linux, securityContext: context } };
    const { containerId } = await this.node.runtime.createContainer({ podSandboxId: pod.id, config: wanted, sandboxConfig: pod.config });
    return containerId;
  }

  async run(pod: Pod, security: Security = {}, mounts: readonly Init<Mount>[] = []): Promise<string> {
    const containerId = await this.create(pod, security, mounts);
    await this.node.runtime.startContainer({ containerId });
    await waitForOutput(this.node, containerId, 'ready', PATIENCE_MS);
    return containerId;
  }

  /** What a script inside says, or `exit N: ` and its complaint. */
  async say(containerId: string, script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await execSync(this.node, containerId, shell(script), PATIENCE_MS / 1000);
    if (exitCode === 0) return Buffer.from(stdout).toString().trimEnd();
    return `exit ${exitCode}: ${Buffer.from(stderr).toString().trimEnd()}`;
  }

  /** The words of a container's creation, which must be refused. */
  async refusal(pod: Pod, security: Security, mounts: readonly Init<Mount>[] = [], image = this.#image): Promise<string> {
    const { containers } = await this.node.runtime.listContainers({});
    const { message } = await failureOf(this.create(pod, security, mounts, image));
    assert.deepEqual((await this.node.runtime.listContainers({})).containers.length, containers.length, 'something was made');
    return message;
  }
}

/** Runs with these lines of configuration besides, the unit restarted before and after. */
export async function withConfiguration(node: GuestNode, name: string, lines: string, work: () => Promise<void>): Promise<void> {
  const file = `/etc/podwright/conf.d/${name}.toml`;
  await writeFile(file, `${lines}\n`);
  try {
    await node.restart();
    await node.untilReady();
    await work();
  } finally {
    await rm(file, { force: true });
    await node.restart();
    await node.untilReady();
  }
}
