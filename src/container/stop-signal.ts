import { constants } from 'node:os';
import { Signal } from '../../api/cri/enums.ts';
import { fail, messageOf } from '../base/errors.ts';

const SIGTERM = constants.signals.SIGTERM;
/** signal(7): the first real-time signal that programs may use with glibc, and the last. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * The number of the signal that asks a container to end: the request's (KEP-4960), else the image's StopSignal, else
 * SIGTERM. An image's that is no signal counts as none, as with CRI-O, and `warn` is told.
 * @throws InvalidArgument for a requested number that is no signal.
 */
export function stopSignal(requested: Signal, imageStopSignal: string | undefined, warn: (words: string) => void): number {
  if (requested !== Signal.SIGNAL_RUNTIME_DEFAULT) {
    for (const [number, signal] of CRI_SIGNALS) if (signal === requested) return number;
    fail('InvalidArgument', `create container: stop_signal is ${requested}, which is no signal of the CRI`);
  }
  if (imageStopSignal === undefined || imageStopSignal === '') return SIGTERM;
  try {
    return parseSignal(imageStopSignal);
  } catch (error) {
    warn(`the image's StopSignal is left out, SIGTERM takes its place: ${messageOf(error)}`);
    return SIGTERM;
  }
}

/** The number of `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3` or `SIGRTMAX-1`. @throws InvalidArgument. */
export function parseSignal(text: string): number {
  const name = text.trim().toUpperCase();
  if (/^\d+$/.test(name)) return inRange(Number(name), text);
  const realTime = /^(?:SIG)?(RTMIN\+?|RTMAX-?)(\d*)$/.exec(name);
  if (realTime !== null) {
    const offset = Number(realTime[2] === '' ? 0 : realTime[2]);
    return inRange(realTime[1]?.startsWith('RTMIN') === true ? SIGRTMIN + offset : SIGRTMAX - offset, text, SIGRTMIN);
  }
  const full = name.startsWith('SIG') ? name : `SIG${name}`;
  const aliases: Readonly<Record<string, string>> = { SIGCLD: 'SIGCHLD' };
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[aliases[full] ?? full] ?? fail('InvalidArgument', `stop signal "${text}" is no signal's name or number`);
}

/** The CRI's signals by their Linux numbers; where two names have one number, the first. */
const CRI_SIGNALS: readonly (readonly [number: number, signal: Signal])[] = Object.entries(Signal)
  .filter(([, signal]) => signal !== Signal.SIGNAL_RUNTIME_DEFAULT)
  .map(([name, signal]) => [parseSignal(name.replace('SIGNAL_', '').replace('PLUS', '+').replace('MINUS', '-')), signal]);
const BY_NUMBER = new Map(CRI_SIGNALS.toReversed());

/** The CRI's number for a signal, for ContainerStatus.stop_signal. */
export function criSignal(number: number): Signal {
  return BY_NUMBER.get(number) ?? Signal.SIGNAL_RUNTIME_DEFAULT;
}

function inRange(number: number, text: string, least = 1): number {
  return number >= least && number <= SIGRTMAX
    ? number
    : fail('InvalidArgument', `stop signal "${text}" is ${number}, must be ${least} to ${SIGRTMAX}`);
}
