import { Event } from '../../api/nri/enums.ts';
import { EVENT_NAMES } from './events.ts';

/** The default validator as it stands among plugins. The module has it as this one. */
export const DEFAULT_VALIDATOR = { index: '00', name: 'default-validator' } as const;

/** What is told of one plugin. Times are ISO 8601. */
export interface PluginReport {
  /** `INDEX-NAME`; `unknown` of one that has connected and not registered. */
  readonly name: string;
  readonly kind: 'external' | 'launched' | 'builtin';
  /**
   * `registering`: connected; `waiting`: for its synchronization; `ready`; `gone`: has left or was dropped; `down`: a launched
   * one that is started again after a pause.
   */
  readonly state: 'registering' | 'waiting' | 'ready' | 'gone' | 'down';
  readonly pid?: number;
  /** The version of the NRI module that it was built with; empty where it does not say. */
  readonly version: string;
  /** What it has subscribed to. */
  readonly events: readonly string[];
  /** Since when it is in its state. */
  readonly since: string;
  readonly calls: number;
  readonly failures: number;
  /** How long its calls took, milliseconds: on average, and the longest. */
  readonly meanMs: number;
  readonly longestMs: number;
  readonly lastError?: string;
}

/** Where plugins come from, and which there are, in the order in which they are called. */
export interface NriReport {
  readonly enabled: boolean;
  /** Empty: nobody may connect. */
  readonly listenPath: string;
  /** Why nobody can connect, where that is not wanted. */
  readonly listenFault?: string;
  readonly plugins: readonly PluginReport[];
}

/** The default validator of the configuration, as plugins are told of. */
export function defaultValidatorReport(since: Date): PluginReport {
  const { index, name } = DEFAULT_VALIDATOR;
  return {
    name: `${index}-${name}`,
    kind: 'builtin',
    state: 'ready',
    version: '',
    events: [EVENT_NAMES[Event.VALIDATE_CONTAINER_ADJUSTMENT]],
    since: since.toISOString(),
    calls: 0,
    failures: 0,
    meanMs: 0,
    longestMs: 0,
  };
}
