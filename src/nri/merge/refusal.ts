import { DaemonError } from '../../base/errors.ts';
import { shortened } from '../limits.ts';

/** Refuses what a plugin has answered; the call that it was asked in fails with it. */
export function refuse(plugin: string, what: string): never {
  throw new DaemonError('FailedPrecondition', `NRI plugin ${plugin}: ${shortened(what)}`);
}

/** @throws DaemonError where a name that must be there is empty; `what` says of what, as in "a mount without a destination". */
export function needName(name: string, plugin: string, what: string): void {
  if (name === '') refuse(plugin, what);
}
