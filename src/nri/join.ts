import { settledWithin, waitFor, withTimeout } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { VERSION } from '../base/version.ts';
import type { ContainerUpdate } from '../../api/nri/messages.ts';
import { ALL_EVENTS } from './events.ts';
import type { PluginHost } from './host.ts';
import { wishesFault } from './limits.ts';
import type { Plugin } from './plugin.ts';
import type { Refused, Registered } from './runtime-calls.ts';
import type { NriSettings } from './settings.ts';
import type { Setbacks } from './setbacks.ts';
import { synchronize } from './synchronize.ts';
import type { Windows } from './windows.ts';

/** The version of the interface that we speak. Plugins look for a tag of the Go module. */
const NRI_VERSION = 'v0.12.0';

export interface JoinParts {
  readonly settings: () => NriSettings;
  readonly host: PluginHost;
  readonly windows: Windows;
  readonly setbacks: Setbacks;
  readonly log: Log;
  /** Takes the plugin into the row of those that hear of events, unless it has gone; called while no window is open. */
  readonly add: (plugin: Plugin) => void;
  /** Applies what it wants updated, when it has been taken in. */
  readonly update: (updates: readonly ContainerUpdate[], plugin: Plugin) => Promise<void>;
}

/**
 * Takes a connected plugin all the way to the row of those that hear of events: its registration, its configuration, and all that is
 * there. One that does not do its part in time, or does it wrong, is dropped. Never throws.
 */
export async function join(
  plugin: Plugin,
  { registration, configuration }: { readonly registration: Promise<Registered | Refused>; readonly configuration: string },
  parts: JoinParts,
): Promise<void> {
  try {
    await register(plugin, registration, parts.settings().registrationTimeoutMs);
    if (plugin.isGone || !(await configure(plugin, configuration, parts.settings()))) return;
    await waitAfterSetbacks(plugin, parts);
    const updates = await parts.windows.alone(async () => takeInTimed(plugin, parts), plugin.ended);
    if (updates !== undefined && updates.length > 0) await parts.update(updates, plugin);
  } catch (error) {
    plugin.drop(messageOf(error));
  }
}

async function waitAfterSetbacks(plugin: Plugin, { setbacks, log }: JoinParts): Promise<void> {
  const pauseMs = Math.ceil(setbacks.pauseMs(plugin.label, performance.now()));
  if (pauseMs === 0) return;
  log.warn('an NRI plugin has held pods up before, and waits for its synchronization', { plugin: plugin.label, pauseMs });
  await settledWithin(plugin.ended, pauseMs);
}

/** One that fails quickly has held nobody up for long. */
async function takeInTimed(plugin: Plugin, parts: JoinParts): Promise<readonly ContainerUpdate[]> {
  const started = performance.now();
  try {
    return await takeIn(plugin, parts);
  } finally {
    const now = performance.now();
    if (!plugin.isReady && now - started >= parts.settings().requestTimeoutMs) parts.setbacks.heldUp(plugin.label, now);
  }
}

async function register(plugin: Plugin, registration: Promise<Registered | Refused>, timeoutMs: number): Promise<void> {
  const limit = withTimeout(undefined, timeoutMs, 'registration of an NRI plugin');
  try {
    const result = await waitFor(Promise.race([registration, plugin.ended.then(() => undefined)]), limit.signal);
    if (result === undefined) return;
    if ('fault' in result) await plugin.dropAnswered(`registration of an NRI plugin: ${result.fault}`);
    else plugin.identify(result.identity, result.version);
  } finally {
    limit.clear();
  }
}

/** @returns false where it has been dropped. @throws where it wants to hear of what there is not. */
async function configure(plugin: Plugin, configuration: string, settings: NriSettings): Promise<boolean> {
  const { registrationTimeoutMs, requestTimeoutMs } = settings;
  const request = {
    config: configuration,
    runtimeName: 'podwright',
    runtimeVersion: VERSION,
    registrationTimeout: BigInt(registrationTimeoutMs),
    requestTimeout: BigInt(requestTimeoutMs),
    nriVersion: NRI_VERSION,
  };
  const answer = await plugin.call('Configure', request, requestTimeoutMs);
  if (answer === undefined) return false;
  const unknown = answer.events & ~ALL_EVENTS;
  if (unknown !== 0)
    throw new DaemonError(
      'InvalidArgument',
      `it subscribes to events 0x${(unknown >>> 0).toString(16)}, must be of 0x${ALL_EVENTS.toString(16)}`,
    );
  plugin.subscribe(answer.events === 0 ? ALL_EVENTS : answer.events);
  return true;
}

/** Windows wait meanwhile, so all of it has to end in time. */
async function takeIn(plugin: Plugin, { settings, host, add }: JoinParts): Promise<readonly ContainerUpdate[]> {
  if (plugin.isGone) return [];
  const { registrationTimeoutMs: timeoutMs } = settings();
  const end = performance.now() + timeoutMs;
  const limit = withTimeout(undefined, timeoutMs, 'the list of all pods and containers');
  try {
    const snapshot = await waitFor(host.snapshot(), limit.signal);
    const updates = await synchronize(plugin, snapshot, { timeoutMs: Math.max(1, end - performance.now()) });
    const fault = wishesFault(updates ?? []);
    if (fault !== undefined) throw new DaemonError('ResourceExhausted', `Synchronize: ${fault}`);
    if (updates !== undefined) add(plugin);
    return updates ?? [];
  } finally {
    limit.clear();
  }
}
