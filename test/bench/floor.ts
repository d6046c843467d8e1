/**
 * The parts alone: the same runtime and the same plugins, started one after the other as a pod needs them, with nobody who keeps a record of it.
 * No runtime that uses them so can be faster. The container has the spec of one of ours, with other namespaces and another cgroup.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { mkdirs, readJson, remove, writeJson } from 'fs-extra/esm';
import { silentLog } from '../../src/base/log.ts';
import { RecordStore } from '../../src/base/record-store.ts';
import { adopt, becomeSubreaper } from '../../src/linux/children.ts';
import { pinNamespaces, unpinNamespaces } from '../../src/linux/namespaces.ts';
import { findProgram, run, SHORT_LIVED_GO, spawn } from '../../src/linux/spawn.ts';
import { createMonitored } from '../../src/ociruntime/monitor.ts';
import { MonitoredBundle } from '../../src/ociruntime/monitored-bundle.ts';
import { OciRuntime } from '../../src/ociruntime/oci-runtime.ts';
import { removeCgroups } from '../support/sweep.ts';
import { bridgePlugins } from './peers.ts';
import type { Parts } from './peers.ts';
import { CriPod } from './pod-life.ts';
import type { MadePod, PodMaker } from './pod-life.ts';
import type { Target } from './targets.ts';
import { Times } from './times.ts';

const TIMEOUT_MS = 60_000;
/** So long nothing was moved between cgroups: see REST_BEFORE_EXEC_MS of pod-life.ts. */
const REST_MS = 100;

interface Spec {
  readonly process: Record<string, unknown>;
  readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path?: string }[] };
}

type CniResult = Record<string, unknown>;

/** Makes pods of the parts. The pod whose container is the model lives as long. */
export class Floor implements PodMaker {
  readonly times = new Times();
  /** Of each part. */
  readonly parts = new Times();
  readonly #directory: string;
  readonly #machine: Parts;
  readonly #model: CriPod;
  readonly #spec: Spec;
  readonly #bridge: string;
  #serial = 0;

  private constructor(directory: string, machine: Parts, model: CriPod, spec: Spec) {
    this.#directory = directory;
    this.#machine = machine;
    this.#model = model;
    this.#spec = spec;
    this.#bridge = `pf${basename(directory).slice(-6)}`;
  }

  /** @param ours whose spec is taken */
  static async start(ours: Target, machine: Parts): Promise<Floor> {
    const directory = await mkdtemp(join(tmpdir(), 'pf-'));
    // What the runtime leaves detached comes to us, so that we hear of its end at once.
    becomeSubreaper();
    const model = await CriPod.run(ours);
    await model.startContainer();
    const bundle = join(ours.daemon?.runDir ?? '', 'bundles', model.containerId, 'config.json');
    return new Floor(directory, machine, model, (await readJson(bundle)) as Spec);
  }

  async runPod(): Promise<MadePod> {
    const { id, directory, namespaces } = await this.#pin();
    const result = await this.#plugins('ADD', id, join(namespaces, 'net'));
    return {
      startContainer: async () => this.#startContainer(id, directory),
      exec: async () => this.#exec(id, directory),
      removeContainer: async () => this.#removeContainer(id, directory),
      remove: async () => {
        await this.#plugins('DEL', id, join(namespaces, 'net'), result);
        await this.parts.measure('namespaces unpinned', () => {
          unpinNamespaces(namespaces);
          return Promise.resolve();
        });
      },
    };
  }

  /**
   * Create + Start under conmon with two records on disk, one before the creation and one after it, both flushed: what a container cannot do
   * without that outlives its daemon, and whose daemon outlives a loss of power. A pod without a network is enough.
   */
  async measureMonitored(rounds: number): Promise<void> {
    const { conmon, runtime: path } = this.#machine;
    const environment = { ...SHORT_LIVED_GO, PATH: process.env['PATH'] ?? '' };
    const runtime = new OciRuntime({ name: 'floor', path, root: join(this.#directory, 'runtime'), systemdCgroup: false, environment });
    const options = { conmonPath: conmon, exitDirectory: join(this.#directory, 'exits'), logSizeMaxBytes: -1 };
    await mkdirs(options.exitDirectory);
    const records = new RecordStore<Record<string, string> & { id: string }, unknown>({
      directory: join(this.#directory, 'records'),
      badDirectory: join(this.#directory, 'bad'),
      kind: 'container',
      version: 1,
      readRecord: () => assert.fail('none is read'),
      readState: () => assert.fail('none is read'),
      log: silentLog,
    });
    await records.load();
    for (let round = 0; round < rounds; round += 1) {
      const { id, directory, namespaces } = await this.#pin();
      await this.#writeSpec(id, directory);
      const recordId = id.padEnd(64, '0');
      const request = {
        containerId: id,
        name: id,
        bundle: new MonitoredBundle(directory, join(directory, 'persist')),
        logPath: join(directory, 'log'),
        terminal: false,
        stdin: false,
        stdinOnce: false,
        placeMonitor: async () => Promise.resolve(),
        timeoutMs: TIMEOUT_MS,
      };
      await mkdirs(request.bundle.persistDirectory);
      await sleep(REST_MS);
      const made = await this.parts.measure('create and start under conmon, with two records on disk', async () => {
        const intent = await records.create({ id: recordId, spec: JSON.stringify(this.#spec) });
        const [created] = await Promise.all([createMonitored(options, runtime, request, { isPlacedFirst: false }), intent.flush()]);
        await records.saveState(recordId, { is: 'Created' }, { isFirst: true });
        await runtime.start(id);
        return created;
      });
      process.kill(made.process.pid, 'SIGKILL');
      await made.monitorExit;
      await runtime.delete(id);
      unpinNamespaces(namespaces);
    }
  }

  async end(): Promise<void> {
    await this.#model.removeAll().catch(() => undefined);
    await execa('ip', ['link', 'del', this.#bridge], { reject: false });
    await removeCgroups(`/${this.#bridge}`);
    await remove(this.#directory);
  }

  async #pin(): Promise<{ readonly id: string; readonly directory: string; readonly namespaces: string }> {
    this.#serial += 1;
    const id = `floor-${process.pid}-${this.#serial}`;
    const directory = join(this.#directory, id);
    const namespaces = join(directory, 'ns');
    await mkdirs(directory);
    await this.parts.measure('namespaces made and pinned', () => {
      pinNamespaces(namespaces, { net: true, ipc: true, uts: true, loopback: true });
      return Promise.resolve();
    });
    return { id, directory, namespaces };
  }

  /** The last result of an ADD. */
  async #plugins(command: 'ADD' | 'DEL', id: string, netns: string, before?: CniResult): Promise<CniResult | undefined> {
    const plugins = bridgePlugins(this.#bridge, join(this.#directory, 'cni-data')) as { type: string }[];
    let prevResult = before;
    for (const plugin of command === 'ADD' ? plugins : plugins.toReversed()) {
      const env = {
        ...SHORT_LIVED_GO,
        PATH: process.env['PATH'] ?? '',
        CNI_COMMAND: command,
        CNI_CONTAINERID: id,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: this.#machine.cniBinDirs.join(':'),
      };
      const input = JSON.stringify({ ...plugin, cniVersion: '1.0.0', name: `net-${this.#bridge}`, ...(prevResult && { prevResult }) });
      const { exit, stdout } = await this.parts.measure(`${plugin.type} ${command}`, async () =>
        run(await this.#plugin(plugin.type), { args: [], env, input, timeoutMs: TIMEOUT_MS }),
      );
      assert.equal(exit.code, 0, `${plugin.type} ${command}: ${stdout.toString()}`);
      if (command === 'ADD') prevResult = JSON.parse(stdout.toString()) as CniResult;
    }
    return prevResult;
  }

  async #plugin(type: string): Promise<string> {
    for (const folder of this.#machine.cniBinDirs) {
      const path = join(folder, type);
      if (await readFile(path).then(() => true, () => false)) return path; // prettier-ignore
    }
    return findProgram(type);
  }

  /** The runtime's command, with nothing on its descriptors. */
  async #runtime(part: string, args: readonly string[]): Promise<void> {
    const root = join(this.#directory, 'runtime');
    const child = spawn(this.#machine.runtime, {
      args: ['--root', root, ...args],
      env: { ...SHORT_LIVED_GO, PATH: process.env['PATH'] ?? '' },
    });
    const { code } = await this.parts.measure(part, async () => child.exit);
    assert.equal(code, 0, `${this.#machine.runtime} ${args.join(' ')}`);
  }

  async #writeSpec(id: string, directory: string): Promise<void> {
    const path = (type: string): string => join(directory, 'ns', { network: 'net' }[type] ?? type);
    const namespaces = this.#spec.linux.namespaces.map((each) => (each.path === undefined ? each : { ...each, path: path(each.type) }));
    await writeJson(join(directory, 'config.json'), {
      ...this.#spec,
      hooks: undefined,
      linux: { ...this.#spec.linux, namespaces, cgroupsPath: `/${this.#bridge}/${id}` },
    });
  }

  async #startContainer(id: string, directory: string): Promise<void> {
    await this.#writeSpec(id, directory);
    await writeJson(join(directory, 'process.json'), { ...this.#spec.process, args: ['true'] });
    const pidFile = join(directory, 'pid');
    await this.#runtime('runtime create', ['create', '--bundle', directory, '--pid-file', pidFile, id]);
    void adopt(Number(await readFile(pidFile, 'utf8'))).catch(() => undefined);
    await this.#runtime('runtime start', ['start', id]);
  }

  async #exec(id: string, directory: string): Promise<void> {
    await this.#runtime('runtime exec', ['exec', '--process', join(directory, 'process.json'), id]);
  }

  async #removeContainer(id: string, directory: string): Promise<void> {
    const pid = Number(await readFile(join(directory, 'pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await adopt(pid).catch(() => undefined);
    await this.#runtime('runtime delete', ['delete', '--force', id]);
  }
}
