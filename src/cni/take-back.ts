import { DaemonError, messageOf } from '../base/errors.ts';
import { callOf, configFor } from './network.ts';
import { refusalIn } from './plugin.ts';
import type { AddRefusal } from './attachment-records.ts';
import type { Target } from './network.ts';
import type { NetworkConf, PluginConf } from './network-conf.ts';
import type { Limits, PluginRunner } from './plugin.ts';

export interface TakeBack {
  readonly conf: NetworkConf;
  readonly target: Target;
  readonly limits: Limits;
  /** The last plugin that was asked: those behind it have nothing. */
  readonly last: number;
  /** How the ADD was refused, where that is known. */
  readonly refusal: AddRefusal | undefined;
  /** Whether the plugin that refused the ADD may go on refusing the DEL in the same words. */
  readonly isLastTry: boolean;
}

/**
 * Takes back an ADD that was not finished: DEL for the plugins up to `last`, in reverse order. A plugin that fails does not keep
 * those before it from freeing what they hold.
 * @returns the words of a plugin that was given up, undefined where none was.
 * @throws {DaemonError} with the words of every plugin that failed.
 */
export async function takeBackAdd(runner: PluginRunner, work: TakeBack): Promise<string | undefined> {
  const { conf, target, limits, last, refusal, isLastTry } = work;
  const failures: unknown[] = [];
  let givenUp: string | undefined;
  for (const [index, plugin] of [...conf.plugins.slice(0, last + 1).entries()].reverse()) {
    const call = callOf(conf, plugin, 'DEL', target);
    try {
      await runner.call(call, configFor(conf, plugin, target), limits);
    } catch (error) {
      const isRefused = refusal?.index === index && refusalIn(call, error) === refusal.words;
      if (isRefused && (await refusesItsArguments(runner, work, plugin, refusal.words))) continue;
      if (isRefused && isLastTry) givenUp = messageOf(error);
      else failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new DaemonError('Internal', failures.map(messageOf).join('; '), { cause: failures[0] });
  return givenUp;
}

/**
 * Whether a plugin that refused ADD and DEL in the same words refuses its capability arguments: without them its DEL works, and
 * with them it fails as before. Then ADD has made nothing (an example is portmap with a port that is none).
 */
async function refusesItsArguments(runner: PluginRunner, work: TakeBack, plugin: PluginConf, words: string): Promise<boolean> {
  const { conf, target, limits } = work;
  const { runtimeConfig, ...config } = configFor(conf, plugin, target);
  if (runtimeConfig === undefined) return false;
  const call = callOf(conf, plugin, 'DEL', target);
  try {
    await runner.call(call, config, limits);
  } catch {
    return false;
  }
  try {
    await runner.call(call, { ...config, runtimeConfig }, limits);
    return true;
  } catch (error) {
    return refusalIn(call, error) === words;
  }
}
