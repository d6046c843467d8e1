import { Event } from '../../api/nri/enums.ts';
import type { Codec, Init, PluginMethods } from '../../api/nri/messages.ts';

/** Events whose plugins' answers say nothing but that they have worked, each with the name of its call. */
export const RELAYED_EVENTS = {
  [Event.RUN_POD_SANDBOX]: 'RunPodSandbox',
  [Event.UPDATE_POD_SANDBOX]: 'UpdatePodSandbox',
  [Event.POST_UPDATE_POD_SANDBOX]: 'PostUpdatePodSandbox',
  [Event.STOP_POD_SANDBOX]: 'StopPodSandbox',
  [Event.REMOVE_POD_SANDBOX]: 'RemovePodSandbox',
  [Event.POST_CREATE_CONTAINER]: 'PostCreateContainer',
  [Event.START_CONTAINER]: 'StartContainer',
  [Event.POST_START_CONTAINER]: 'PostStartContainer',
  [Event.POST_UPDATE_CONTAINER]: 'PostUpdateContainer',
  [Event.REMOVE_CONTAINER]: 'RemoveContainer',
} as const;

const ANSWERED_EVENTS = {
  [Event.CREATE_CONTAINER]: 'CreateContainer',
  [Event.UPDATE_CONTAINER]: 'UpdateContainer',
  [Event.STOP_CONTAINER]: 'StopContainer',
  [Event.VALIDATE_CONTAINER_ADJUSTMENT]: 'ValidateContainerAdjustment',
} as const;

export type RelayedEvent = keyof typeof RELAYED_EVENTS;
export type NriEvent = RelayedEvent | keyof typeof ANSWERED_EVENTS;
export type CallName = keyof typeof PluginMethods;

/** What a plugin is asked in a call. */
export type RequestOf<Name extends CallName> = (typeof PluginMethods)[Name]['request'] extends Codec<infer T> ? Init<T> : never;
/** What it answers. */
export type ResponseOf<Name extends CallName> = (typeof PluginMethods)[Name]['response'] extends Codec<infer T> ? T : never;
export type RelayedRequest<E extends RelayedEvent> = RequestOf<(typeof RELAYED_EVENTS)[E]>;

/** Where a plugin's error must not keep the others from hearing of what happens anyway. The others may veto. */
const VETOABLE: readonly Event[] = [Event.RUN_POD_SANDBOX, Event.UPDATE_POD_SANDBOX, Event.START_CONTAINER];

/** Whether a plugin's error stops what the event announces. */
export function isVetoable(event: RelayedEvent): boolean {
  return VETOABLE.includes(event);
}

/** The call of each event. */
export const EVENT_NAMES = { ...RELAYED_EVENTS, ...ANSWERED_EVENTS } as const;

/** All events, as a plugin's mask: bit n - 1 for event n. */
export const ALL_EVENTS = Object.keys(EVENT_NAMES).reduce((mask, event) => mask | bitOf(Number(event)), 0);

function bitOf(event: number): number {
  return 1 << (event - 1);
}

/** Whether a mask has an event. */
export function hasEvent(mask: number, event: Event): boolean {
  return (mask & bitOf(event)) !== 0;
}

/** The names of a mask's events, in the order of their numbers. */
export function eventNames(mask: number): string[] {
  return Object.entries(EVENT_NAMES).flatMap(([event, name]) => (hasEvent(mask, Number(event)) ? [name] : []));
}
