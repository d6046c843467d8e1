import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { messages } from '../../api/nri/messages.ts';
import type { Container, ContainerEviction, ContainerUpdate, Init, PodSandbox } from '../../api/nri/messages.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Log, LogFields } from '../../src/base/log.ts';
import { defaultSettings } from '../../src/config/overlay.ts';
import type { PluginCall, PluginWish } from '../../src/nri/observed.ts';
import { Plugins } from '../../src/nri/plugins.ts';
import type { PluginReport } from '../../src/nri/report.ts';
import type { NriSettings } from '../../src/nri/settings.ts';
import { until } from './pods.ts';

export function podOf(fields: Init<PodSandbox>): PodSandbox {
  return messages.PodSandbox.decode(messages.PodSandbox.encode(fields));
}

export function containerOf(fields: Init<Container>): Container {
  return messages.Container.decode(messages.Container.encode(fields));
}

export const nobody = { pods: [], containers: [] };

/** Plugins of our own on a node that is made up: what they see of it is what a test says. */
export class NriLab {
  readonly directory: string;
  readonly socket: string;
  readonly pluginDir: string;
  readonly configDir: string;
  readonly processesFile: string;
  readonly plugins: Plugins;
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = [];
  readonly calls: PluginCall[] = [];
  readonly wishes: PluginWish[] = [];
  readonly counts: number[] = [];
  /** What plugins wanted done outside of any event. */
  readonly updates: { readonly plugin: string; readonly updates: readonly ContainerUpdate[] }[] = [];
  readonly evictions: { readonly plugin: string; readonly evictions: readonly ContainerEviction[] }[] = [];
  /** What there is. */
  snapshot: { readonly pods: readonly PodSandbox[]; readonly containers: readonly Container[] } = nobody;
  settings: NriSettings;

  private constructor(directory: string, settings: Partial<NriSettings>) {
    this.directory = directory;
    this.socket = join(directory, 'nri', 'nri.sock');
    this.pluginDir = join(directory, 'plugins');
    this.configDir = join(directory, 'conf.d');
    this.processesFile = join(directory, 'nri.json');
    const { nri } = defaultSettings();
    this.settings = { ...nri, listenPath: this.socket, pluginDir: this.pluginDir, pluginConfigDir: this.configDir, ...settings };
    this.plugins = new Plugins({
      settings: () => this.settings,
      log: this.#log(),
      processesFile: this.processesFile,
      onCall: (call) => this.calls.push(call),
      onWish: (wish) => this.wishes.push(wish),
      onCount: (count) => this.counts.push(count),
    });
  }

  /** Directories alone. */
  static async prepare(settings: Partial<NriSettings> = {}): Promise<NriLab> {
    return new NriLab(await mkdtemp(join(tmpdir(), 'pw-nri-')), settings);
  }

  static async start(settings: Partial<NriSettings> = {}): Promise<NriLab> {
    const lab = await NriLab.prepare(settings);
    await lab.start();
    return lab;
  }

  async start(): Promise<void> {
    await this.plugins.start({
      snapshot: async () => Promise.resolve(this.snapshot),
      update: async (updates, plugin) => {
        this.updates.push({ plugin, updates });
        return Promise.resolve(updates.filter(({ containerId }) => containerId === 'fails'));
      },
      evict: async (evictions, plugin) => {
        this.evictions.push({ plugin, evictions });
        return Promise.resolve();
      },
    });
  }

  async end(): Promise<void> {
    await this.plugins.close();
    await remove(this.directory);
  }

  /** Those of the report in a state. */
  reports(state: PluginReport['state']): PluginReport[] {
    return this.plugins.describe().plugins.filter((plugin) => plugin.state === state);
  }

  async untilReady(count: number, timeoutMs = 10_000): Promise<void> {
    await until(`${count} plugins are ready`, async () => Promise.resolve(this.reports('ready').length === count), timeoutMs);
  }

  /** Warnings so far, each with the plugin and the reason. */
  get warnings(): string[] {
    return this.lines
      .filter(({ level }) => level === 'warn')
      .map(({ message, fields }) => [message, fields.plugin ?? fields.path, fields.reason ?? fields.error].filter(Boolean).join(': '));
  }

  #log(): Log {
    const at =
      (level: string) =>
      (message: string, fields: LogFields = {}): void => {
        this.lines.push({ level, message, fields });
      };
    return { ...silentLog, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}

/** A container that is to be created, in a pod. */
export function creation(name: string): { pod: PodSandbox; container: Container } {
  return { pod: podOf({ id: 'pod1', name: 'web' }), container: containerOf({ id: `id-${name}`, podSandboxId: 'pod1', name }) };
}
