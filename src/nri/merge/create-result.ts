import { Field } from '../../../api/nri/enums.ts';
import { messages } from '../../../api/nri/messages.ts';
import type {
  Container,
  ContainerAdjustment,
  ContainerUpdate,
  CreateContainerRequest,
  CreateContainerResponse,
  LinuxContainer,
  LinuxContainerAdjustment,
  OwningPlugins,
  PluginInstance,
  ValidateContainerAdjustmentRequest,
} from '../../../api/nri/messages.ts';
import type { Eviction } from '../results.ts';
import { mergeList, mergeMap } from './entries.ts';
import type { Answer } from './entries.ts';
import { ANNOTATIONS, DEVICES, ENV, HOOK_POINTS, MOUNTS, NET_DEVICES, SYSCTL, mergeNamespaces, mergeRdt } from './kinds.ts';
import { Owners } from './owners.ts';
import { needName, refuse } from './refusal.ts';
import { claimResources, filled, noResources, withDeviceRules, withResources } from './resources.ts';
import { Updates } from './updates.ts';

/**
 * Most that the adjustments of all plugins may come to, bytes on the wire. The next plugin gets them with the container in one
 * message of at most 4 MiB: without a limit one plugin could make the container too large for another. The module has none.
 */
const ADJUSTMENTS_LIMIT_BYTES = 1024 * 1024;

const NOTHING = new Uint8Array(0);

/** Fields of linux that one plugin sets as a whole. */
const WHOLE = {
  cgroupsPath: Field.CgroupsPath,
  oomScoreAdj: Field.OomScoreAdj,
  ioPriority: Field.IoPriority,
  seccompPolicy: Field.SeccompPolicy,
  scheduler: Field.LinuxSched,
} as const satisfies { readonly [Name in keyof LinuxContainerAdjustment & keyof LinuxContainer]?: Field };

/**
 * What all plugins together want at the creation of a container: their answers merged, each in its turn, as pkg/adaptation/result.go of
 * github.com/containerd/nri v0.12.0 merges them. Where it differs, the code says so, and docs/nri.md.
 *
 * Nothing that is handed in is changed.
 */
export class CreateResult {
  readonly #original: CreateContainerRequest;
  readonly #id: string;
  readonly #owners = new Owners();
  readonly #updates: Updates;
  /** The container as the next plugin sees it. */
  #container: Container;
  #linux: LinuxContainer;
  readonly #adjust: ContainerAdjustment;
  readonly #adjustLinux: LinuxContainerAdjustment;
  #bytes = 0;

  constructor(request: CreateContainerRequest) {
    const container = request.container ?? messages.Container.decode(NOTHING);
    const linux = container.linux ?? messages.LinuxContainer.decode(NOTHING);
    // Plugins of the module expect these messages to be there.
    this.#linux = { ...linux, resources: filled(linux.resources) };
    this.#container = { ...container, hooks: container.hooks ?? messages.Hooks.decode(NOTHING), linux: this.#linux };
    this.#original = { ...request, container: this.#container };
    this.#id = container.id;
    this.#updates = new Updates(this.#owners, { id: this.#id, call: 'creation' });
    this.#adjustLinux = { ...messages.LinuxContainerAdjustment.decode(NOTHING), resources: noResources() };
    this.#adjust = { ...messages.ContainerAdjustment.decode(NOTHING), hooks: messages.Hooks.decode(NOTHING), linux: this.#adjustLinux };
  }

  /** What the next plugin sees: the container with the adjustments so far. */
  get request(): CreateContainerRequest {
    return { ...this.#original, container: this.#container };
  }

  /** All adjustments. In its maps `-NAME` is a removal, which comes before `NAME` where both are there. */
  get adjust(): ContainerAdjustment {
    return this.#adjust;
  }

  /** Of other containers; one for each. */
  get updates(): ContainerUpdate[] {
    return this.#updates.others;
  }

  /** One for each container. */
  get evictions(): Eviction[] {
    return this.#updates.evictions;
  }

  /** Which plugin has set what, of this container and of those that are updated. */
  get owners(): OwningPlugins {
    return this.#owners.toMessage();
  }

  /** What validators are asked: the container as it came, and what would be done to it. `plugins` are those that have been asked. */
  validation(plugins: readonly PluginInstance[]): ValidateContainerAdjustmentRequest {
    return { ...this.#original, adjust: this.#adjust, update: this.updates, owners: this.owners, plugins: [...plugins] };
  }

  /** Takes in what a plugin has answered. @throws DaemonError that names the plugin, the field and, in a conflict, the other plugin. */
  apply(response: CreateContainerResponse, plugin: string): void {
    if (response.adjust !== undefined) this.#apply(response.adjust, plugin);
    this.#updates.apply(response, plugin);
  }

  #apply(answer: ContainerAdjustment, plugin: string): void {
    this.#bytes += messages.ContainerAdjustment.encode(answer).length;
    if (this.#bytes > ADJUSTMENTS_LIMIT_BYTES) {
      const most = `at most ${ADJUSTMENTS_LIMIT_BYTES} are taken`;
      refuse(plugin, `its adjustments and those of plugins before it come to ${this.#bytes} bytes, ${most}`);
    }
    const from: Answer = { owners: this.#owners, container: this.#id, plugin };
    this.#applyEntries(answer, from);
    this.#applyArgs(answer.args, from);
    this.#applyHooks(answer, from);
    if (answer.linux !== undefined) this.#applyLinux(answer.linux, from);
    this.#applyRlimits(answer, from);
    this.#applyCdiDevices(answer, from);
    this.#container = { ...this.#container, linux: this.#linux };
  }

  #applyEntries(answer: ContainerAdjustment, from: Answer): void {
    const [adjust, container] = [this.#adjust, this.#container];
    const annotations = mergeMap(ANNOTATIONS, from, answer.annotations, { collected: adjust.annotations, seen: container.annotations });
    const mounts = mergeList(MOUNTS, from, answer.mounts, { collected: adjust.mounts, seen: container.mounts });
    const env = mergeList(ENV, from, answer.env, { collected: adjust.env, seen: container.env });
    Object.assign(adjust, { annotations: annotations.collected, mounts: mounts.collected, env: env.collected });
    this.#container = { ...container, annotations: annotations.seen, mounts: mounts.seen, env: env.seen };
  }

  /** A first word that is empty takes the command from an earlier plugin. Nothing after it: the container's own counts again. */
  #applyArgs([first, ...rest]: readonly string[], { owners, container, plugin }: Answer): void {
    if (first === undefined) return;
    if (first === '') owners.clear(container, plugin, { field: Field.Args });
    owners.claim(container, plugin, { field: Field.Args });
    const args = first === '' ? rest : [first, ...rest];
    this.#adjust.args = args;
    this.#container = { ...this.#container, args: args.length === 0 ? (this.#original.container?.args ?? []) : args };
  }

  #applyHooks(answer: ContainerAdjustment, { owners, container, plugin }: Answer): void {
    const { hooks } = answer;
    if (hooks === undefined || HOOK_POINTS.every((point) => hooks[point].length === 0)) return;
    const collected = { ...(this.#adjust.hooks ?? messages.Hooks.decode(NOTHING)) };
    const seen = { ...(this.#container.hooks ?? messages.Hooks.decode(NOTHING)) };
    for (const point of HOOK_POINTS) {
      for (const { path } of hooks[point]) needName(path, plugin, 'an OCI hook without a path');
      collected[point] = [...collected[point], ...hooks[point]];
      seen[point] = [...seen[point], ...hooks[point]];
    }
    this.#adjust.hooks = collected;
    this.#container = { ...this.#container, hooks: seen };
    owners.join(container, plugin, Field.OciHooks);
  }

  #applyLinux(answer: LinuxContainerAdjustment, from: Answer): void {
    const [adjust, linux] = [this.#adjustLinux, this.#linux];
    const { owners, container, plugin } = from;
    const devices = mergeList(DEVICES, from, answer.devices, { collected: adjust.devices, seen: linux.devices });
    const resources = { collected: adjust.resources ?? noResources(), seen: filled(linux.resources) };
    if (answer.resources !== undefined) {
      claimResources(from, answer.resources);
      resources.collected = withDeviceRules(withResources(resources.collected, answer.resources), answer.resources);
      resources.seen = withDeviceRules(withResources(resources.seen, answer.resources), answer.resources);
    }
    const whole: Partial<Pick<LinuxContainerAdjustment, keyof typeof WHOLE>> = {};
    const take = (name: keyof typeof WHOLE): void => {
      if (answer[name] === undefined || answer[name] === '') return;
      owners.claim(container, plugin, { field: WHOLE[name] });
      Object.assign(whole, { [name]: answer[name] });
    };
    // In the module's order, since the first conflict is the one that is named.
    (['cgroupsPath', 'oomScoreAdj', 'ioPriority', 'seccompPolicy'] as const).forEach(take);
    const namespaces = mergeNamespaces(from, answer.namespaces, { collected: adjust.namespaces, seen: linux.namespaces });
    const sysctl = mergeMap(SYSCTL, from, answer.sysctl, { collected: adjust.sysctl, seen: linux.sysctl });
    const netDevices = mergeMap(NET_DEVICES, from, answer.netDevices, { collected: adjust.netDevices, seen: linux.netDevices });
    take('scheduler');
    const rdt = mergeRdt(from, answer.rdt, { collected: adjust.rdt, seen: linux.rdt });
    if (answer.memoryPolicy !== undefined) {
      owners.claim(container, plugin, { field: Field.MemoryPolicy });
      adjust.memoryPolicy = answer.memoryPolicy; // what a container has of it has no place in the messages
    }
    Object.assign(adjust, whole);
    adjust.devices = devices.collected;
    adjust.resources = resources.collected;
    adjust.namespaces = namespaces.collected;
    adjust.sysctl = sysctl.collected;
    adjust.netDevices = netDevices.collected;
    adjust.rdt = rdt.collected;
    this.#linux = Object.assign({ ...linux }, whole, {
      devices: devices.seen,
      resources: resources.seen,
      namespaces: namespaces.seen,
      sysctl: sysctl.seen,
      netDevices: netDevices.seen,
      rdt: rdt.seen,
    });
  }

  /** A limit takes the place of the container's own in what plugins see; the module shows them both. */
  #applyRlimits({ rlimits }: ContainerAdjustment, { owners, container, plugin }: Answer): void {
    for (const { type } of rlimits) {
      needName(type, plugin, 'an rlimit without a type');
      owners.claim(container, plugin, { field: Field.Rlimits, key: type });
    }
    const types = new Set(rlimits.map(({ type }) => type));
    this.#adjust.rlimits = [...this.#adjust.rlimits, ...rlimits];
    const others = this.#container.rlimits.filter(({ type }) => !types.has(type));
    this.#container = { ...this.#container, rlimits: [...others, ...rlimits] };
  }

  /** CDI devices are names, which cannot be taken away, and which plugins do not see. */
  #applyCdiDevices({ cdiDevices }: ContainerAdjustment, { owners, container, plugin }: Answer): void {
    for (const { name } of cdiDevices) {
      needName(name, plugin, 'a CDI device without a name');
      owners.claim(container, plugin, { field: Field.CdiDevices, key: name });
    }
    this.#adjust.cdiDevices = [...this.#adjust.cdiDevices, ...cdiDevices];
  }
}
