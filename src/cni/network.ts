import { DaemonError, messageOf } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import { runtimeConfigFor } from './capability-args.ts';
import { Field } from '../base/field.ts';
import { failure, refusalIn } from './plugin.ts';
import { resultFrom } from './result.ts';
import { atLeast } from './version.ts';
import type { AddRefusal } from './attachment-records.ts';
import type { CapabilityArgs } from './capability-args.ts';
import type { NetworkConf, PluginConf } from './network-conf.ts';
import type { CniCommand, Limits, PluginCall, PluginRunner } from './plugin.ts';
import type { CniResult } from './result.ts';

/** One container's end of a network: what every plugin of the chain is told. */
export interface Target {
  readonly containerId: string;
  /** Path of the network namespace; undefined where it is gone. */
  readonly netnsPath: string | undefined;
  readonly ifName: string;
  /** CNI_ARGS. */
  readonly args: string;
  readonly capabilityArgs: CapabilityArgs;
}

export function callOf(conf: NetworkConf, plugin: PluginConf, command: CniCommand, target?: Target): PluginCall {
  const call = { command, network: conf.name, type: plugin.type };
  if (target === undefined) return call;
  return { ...call, containerId: target.containerId, netns: target.netnsPath ?? '', ifName: target.ifName, args: target.args };
}

/** SPEC.md, "Deriving execution configuration from plugin configuration". */
export function configFor(conf: NetworkConf, plugin: PluginConf, target?: Target, prevResult?: CniResult): Record<string, unknown> {
  const runtimeConfig = target === undefined ? undefined : runtimeConfigFor(plugin.capabilities, target.capabilityArgs);
  return {
    ...plugin.document,
    name: conf.name,
    cniVersion: conf.cniVersion,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

/**
 * Adds a container to a network: each plugin in order, each with the result of the one before it. `begin` is called with a
 * plugin's index before it runs: on failure, the plugins up to that index may have left something. `refused` is told of a plugin that
 * refused in its own words.
 * @throws {DaemonError} with the words of the plugin that failed.
 */
export async function addToNetwork(
  runner: PluginRunner,
  conf: NetworkConf,
  target: Target,
  limits: Limits,
  begin: (index: number) => void,
  refused: (refusal: AddRefusal) => void,
): Promise<CniResult> {
  let result: CniResult | undefined;
  for (const [index, plugin] of conf.plugins.entries()) {
    const call = callOf(conf, plugin, 'ADD', target);
    begin(index);
    const answer = await runner.call(call, configFor(conf, plugin, target, result), limits).catch((error: unknown) => {
      const words = refusalIn(call, error);
      if (words !== undefined) refused({ index, words });
      throw error;
    });
    try {
      result = resultFrom(new Field(answer, 'the answer'), conf.cniVersion);
    } catch (error) {
      throw failure(call, 'Internal', messageOf(error), error);
    }
    stage('cni.plugin-added');
  }
  if (result === undefined)
    throw new DaemonError('FailedPrecondition', `cni network "${conf.name}", ADD: it has no plugins, must have one`);
  return result;
}

/**
 * Takes a container off a network: the plugins in reverse order, each with the result that ADD gave (from version 0.4.0).
 * @throws {DaemonError} with the words of the first plugin that failed; those before it in the chain have not run then.
 */
export async function deleteFromNetwork(
  runner: PluginRunner,
  conf: NetworkConf,
  target: Target,
  limits: Limits,
  result: CniResult | undefined,
): Promise<void> {
  const prevResult = atLeast(conf.cniVersion, '0.4.0') ? result : undefined;
  for (const plugin of conf.plugins.toReversed()) {
    await runner.call(callOf(conf, plugin, 'DEL', target), configFor(conf, plugin, target, prevResult), limits);
  }
}

/** Whether the network's plugins may be asked CHECK: from version 0.4.0, unless its configuration says no. */
export function canCheck(conf: NetworkConf): boolean {
  return atLeast(conf.cniVersion, '0.4.0') && !conf.disableCheck;
}

/** Asks each plugin whether the container's network is as ADD left it. @throws {DaemonError} with the words of the first that says no. */
export async function checkNetwork(
  runner: PluginRunner,
  conf: NetworkConf,
  target: Target,
  limits: Limits,
  result: CniResult,
): Promise<void> {
  for (const plugin of conf.plugins) {
    await runner.call(callOf(conf, plugin, 'CHECK', target), configFor(conf, plugin, target, result), limits);
  }
}

/** Whether the network's plugins know STATUS and GC: from version 1.1.0. */
export function hasStatusAndGc(conf: NetworkConf): boolean {
  return atLeast(conf.cniVersion, '1.1.0');
}

/** Asks each plugin whether it could serve an ADD. @throws {DaemonError} with the words of the first that says no. */
export async function networkStatus(runner: PluginRunner, conf: NetworkConf, limits: Limits): Promise<void> {
  for (const plugin of conf.plugins) await runner.call(callOf(conf, plugin, 'STATUS'), configFor(conf, plugin), limits);
}

/** An attachment that garbage collection must leave alone. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

/**
 * Lets each plugin free what belongs to none of the attachments. Nothing may be added to the network meanwhile.
 * @throws {DaemonError} with the words of every plugin that failed; each one was asked.
 */
export async function collectNetworkGarbage(
  runner: PluginRunner,
  conf: NetworkConf,
  valid: readonly ValidAttachment[],
  limits: Limits,
): Promise<void> {
  const failures: string[] = [];
  for (const plugin of conf.plugins) {
    // The second name stood in the first text of spec 1.1.0, and some plugins read that one (containernetworking/cni#1101).
    const config = { ...configFor(conf, plugin), 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid };
    await runner.call(callOf(conf, plugin, 'GC'), config, limits).catch((error: unknown) => {
      failures.push(messageOf(error));
    });
  }
  if (failures.length > 0) throw new DaemonError('Internal', failures.join('; '));
}

/**
 * The spec versions that a plugin supports.
 * @throws {DaemonError} where it does not say. (Plugins before spec 0.2.0 know no VERSION.)
 */
export async function pluginVersions(runner: PluginRunner, conf: NetworkConf, plugin: PluginConf, limits: Limits): Promise<string[]> {
  // Plugins built with an old skeleton want all of these, though VERSION has no use for them.
  const call: PluginCall = { ...callOf(conf, plugin, 'VERSION'), netns: 'none', ifName: 'none', containerId: 'none' };
  const answer = await runner.call(call, { cniVersion: conf.cniVersion }, limits);
  try {
    return new Field(answer, 'the answer').at('supportedVersions').list(({ value }) => String(value));
  } catch (error) {
    throw failure(call, 'Internal', messageOf(error), error);
  }
}
