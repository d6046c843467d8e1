import assert from 'node:assert/strict';
import { readFile, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { ensureDir, writeJson } from 'fs-extra/esm';
import { until } from './pods.ts';

/** One that is built already, where there is no go: the machine of test:vm. */
const given = process.env['NRI_PLUGIN'];
const build = async () => execa('bash', [join(import.meta.dirname, '../../scripts/build-nri-plugin.sh')], { reject: false });
const built = given === undefined ? await build() : { exitCode: 0, stdout: given, stderr: '' };

/** Why tests with the scripted NRI plugin are skipped; false where they are not. */
export const noNriPlugin = built.exitCode !== 0 && `the scripted NRI plugin is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

export type NriCall =
  | 'Configure' | 'Synchronize' | 'Shutdown' | 'StateChange'
  | 'RunPodSandbox' | 'UpdatePodSandbox' | 'PostUpdatePodSandbox' | 'StopPodSandbox' | 'RemovePodSandbox'
  | 'CreateContainer' | 'PostCreateContainer' | 'StartContainer' | 'PostStartContainer' | 'UpdateContainer' | 'PostUpdateContainer'
  | 'StopContainer' | 'RemoveContainer' | 'ValidateContainerAdjustment'; // prettier-ignore

/**
 * What the plugin does at a call. Of the rules that fit, the first that is not used up is followed, in this order: sleep, write,
 * do, error, answer. Without one the call is answered with an empty message.
 */
export interface NriRule {
  readonly call: NriCall;
  /** Names that the call must be about; absent: any. */
  readonly pod?: string;
  readonly container?: string;
  /** Calls that the rule is for; absent: all. */
  readonly times?: number;
  readonly sleepMs?: number;
  /** Bytes, in hexadecimal, written into the connection between whatever goes there. */
  readonly write?: string;
  /** Closes the connection, or ends the plugin with 7. */
  readonly do?: 'close' | 'exit';
  /** The message of the error that answers, and its gRPC code (Unknown). */
  readonly error?: string;
  readonly code?: number;
  /** The response message, as protojson; a containerId may be '@NAME' or '@POD/NAME' of one that the plugin has heard of. */
  readonly answer?: object;
}

export interface NriScript {
  /** Default test. */
  readonly name?: string;
  /** Default 10. */
  readonly idx?: string;
  /** Default: every event. */
  readonly events?: readonly (NriCall | 'all' | 'pod' | 'container')[];
  readonly rules?: readonly NriRule[];
  /** Connects again where the connection has gone or cannot be made, all 50 ms. */
  readonly reconnect?: boolean;
  /** Fields of RegisterPluginRequest to send instead of the stub's own. */
  readonly register?: { readonly pluginName?: string; readonly pluginIdx?: string; readonly NRIVersion?: string };
}

/** Parts of the messages that tests look at, as protojson has them: int64 as strings, defaults left out. */
export interface NriPod {
  readonly id: string;
  readonly name: string;
  readonly [field: string]: unknown;
}
export interface NriContainer extends NriPod {
  readonly podSandboxId: string;
  readonly state?: string;
}
export interface NriRequest {
  readonly pod?: NriPod;
  readonly container?: NriContainer;
  readonly pods?: readonly NriPod[];
  readonly containers?: readonly NriContainer[];
  readonly more?: boolean;
  readonly [field: string]: unknown;
}

/** A call that the plugin got. */
export interface NriEvent {
  readonly call: NriCall;
  readonly request: NriRequest;
  /** Milliseconds since 1970, with fractions, by the plugin's clock. */
  readonly at: number;
  /** When it was answered; undefined where it is not yet. */
  readonly answeredAt?: number;
}

interface Line {
  readonly at: number;
  readonly call?: NriCall;
  readonly number?: number;
  readonly request?: NriRequest;
  readonly answered?: number;
  readonly connected?: boolean;
  readonly closed?: boolean;
  readonly did?: boolean;
  readonly failed?: readonly object[] | null;
  readonly error?: string;
}

function eventsOf(lines: readonly Line[]): NriEvent[] {
  const answers = new Map(lines.flatMap((line) => (line.answered === undefined ? [] : [[line.answered, line.at]])));
  return lines.flatMap(({ call, number, request, at }) => {
    if (call === undefined || request === undefined) return [];
    const answeredAt = answers.get(number ?? 0);
    return [{ call, request, at, ...(answeredAt !== undefined && { answeredAt }) }];
  });
}

/** What a test can ask of a plugin that told its calls, by whatever way it was started. */
abstract class ToldCalls {
  abstract lines(): Promise<readonly Line[]>;

  /** Every call so far, oldest first; of one kind where that is given. */
  async events(call?: NriCall): Promise<NriEvent[]> {
    const events = eventsOf(await this.lines());
    return call === undefined ? events : events.filter((event) => event.call === call);
  }

  /** `Call name` of each call about this pod, in order: the container's name, or the pod's for its own events. */
  async story(podName?: string): Promise<string[]> {
    const events = await this.events();
    return events
      .filter(({ request: { pod } }) => pod !== undefined && (podName === undefined || pod.name === podName))
      .map(({ call, request }) => `${call} ${request.container?.name ?? request.pod?.name ?? ''}`);
  }

  /** Waits for `count` calls of a kind. @returns them. */
  async until(call: NriCall, count = 1, timeoutMs = 10_000): Promise<NriEvent[]> {
    const enough = async (): Promise<NriEvent[] | false> => {
      const events = await this.events(call);
      return events.length >= count && events;
    };
    return await until(`${count} times ${call}`, enough, timeoutMs);
  }

  /** Waits until the whole of Synchronize is answered. @returns what it told, its parts put together. */
  async synchronized(timeoutMs = 10_000): Promise<{ pods: NriPod[]; containers: NriContainer[] }> {
    const isLast = ({ request, answeredAt }: NriEvent): boolean => request.more !== true && answeredAt !== undefined;
    const done = async (): Promise<boolean> => (await this.events('Synchronize')).some(isLast);
    await until('Synchronize', done, timeoutMs);
    const parts = await this.events('Synchronize');
    return {
      pods: parts.flatMap(({ request }) => request.pods ?? []),
      containers: parts.flatMap(({ request }) => request.containers ?? []),
    };
  }
}

const spawnPlugin = (script: string) => execa(built.stdout, [script], { stdin: 'pipe', reject: false });

/** A scripted plugin that was started by the test and connects from outside. */
export class NriPlugin extends ToldCalls {
  readonly #process: ReturnType<typeof spawnPlugin>;
  readonly #lines: Line[] = [];
  /** Commands so far. */
  #commands = 0;

  private constructor(socket: string, { name = 'test', idx = '10', ...script }: NriScript) {
    super();
    const text = JSON.stringify({ name, idx, socket, ...script });
    this.#process = spawnPlugin(text);
    createInterface(this.#process.stdout).on('line', (line) => this.#lines.push(JSON.parse(line) as Line));
  }

  /** A plugin that registers at `socket`; waited for is nothing. */
  static launch(socket: string, script: NriScript = {}): NriPlugin {
    return new NriPlugin(socket, script);
  }

  /** A plugin that is registered and synchronized. */
  static async start(socket: string, script: NriScript = {}): Promise<NriPlugin> {
    const plugin = new NriPlugin(socket, script);
    try {
      await plugin.synchronized();
    } catch (error) {
      await plugin.stop();
      throw new Error(`the plugin ${script.idx ?? '10'}-${script.name ?? 'test'} is not synchronized: ${await plugin.errors()}`, {
        cause: error,
      });
    }
    return plugin;
  }

  lines(): Promise<readonly Line[]> {
    return Promise.resolve(this.#lines);
  }

  /** How often it has registered; one where it was not dropped and has not come back. */
  get connections(): number {
    return this.#lines.filter(({ connected }) => connected === true).length;
  }

  /** Connections that have ended. */
  get closes(): number {
    return this.#lines.filter(({ closed }) => closed === true).length;
  }

  get pid(): number {
    return this.#process.pid ?? assert.fail('the plugin is not running');
  }

  /** What it said on standard error, and why it could not connect; for the messages of tests. Waits for its end. */
  async errors(): Promise<string> {
    const { stderr } = await this.#process;
    return [...this.#lines.flatMap(({ error }) => (error === undefined || error === '' ? [] : [error])), stderr].join('\n');
  }

  /** Replaces its rules; counts begin anew. */
  async setRules(rules: readonly NriRule[]): Promise<void> {
    await this.#command({ rules });
  }

  /** Asks the runtime for updates and evictions, as UpdateContainersRequest in protojson. @returns those that failed. @throws its error. */
  async updateContainers(
    request: { readonly update?: readonly object[]; readonly evict?: readonly object[] },
    timeoutMs?: number,
  ): Promise<readonly object[]> {
    const { failed, error = '' } = await this.#command({ update: request }, timeoutMs);
    if (error !== '') throw new Error(error);
    return failed ?? [];
  }

  /** Writes bytes into its connection, closes it, or ends the plugin, at once. */
  async act(action: { readonly write?: string; readonly do?: 'close' | 'exit' }): Promise<void> {
    if (action.do === 'exit') {
      this.#process.stdin.write(`${JSON.stringify(action)}\n`);
      await this.#process;
    } else await this.#command(action);
  }

  /** Resolves when it has ended. */
  async ended(): Promise<void> {
    await this.#process;
  }

  /** Ends it by SIGKILL. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process;
  }

  /** Ends it; it may have ended already. */
  async stop(): Promise<void> {
    this.#process.stdin.end();
    this.#process.kill('SIGKILL');
    await this.#process;
  }

  async #command(command: object, timeoutMs?: number): Promise<Line> {
    const answers = (): Line[] => this.#lines.filter(({ did }) => did === true);
    const number = this.#commands++;
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    return await until('the plugin has done a command', () => Promise.resolve(answers()[number]), timeoutMs);
  }
}

/** A scripted plugin that the daemon launches from its plugin directory; it has its script as its configuration. */
export class LaunchedNriPlugin extends ToldCalls {
  readonly #log: string;

  private constructor(log: string) {
    super();
    this.#log = log;
  }

  /** Puts it, such as 10-test, where a daemon that starts will find it. */
  static async install(
    id: string,
    at: { readonly pluginDir: string; readonly configDir: string },
    script: NriScript = {},
  ): Promise<LaunchedNriPlugin> {
    await ensureDir(at.pluginDir);
    await ensureDir(at.configDir);
    const log = join(at.configDir, `${id}.calls`);
    await symlink(built.stdout, join(at.pluginDir, id));
    await writeJson(join(at.configDir, `${id}.conf`), { ...script, log });
    return new LaunchedNriPlugin(log);
  }

  /** What it has told so far: before a restart, whose process counts its calls anew. */
  async forget(): Promise<void> {
    await truncate(this.#log);
  }

  async lines(): Promise<readonly Line[]> {
    const text = await readFile(this.#log, 'utf8').catch(() => '');
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  }
}
