import type { When } from './read-hook.ts';

/** What the conditions of a hook look at. */
export interface HookSubject {
  /** Of the pod and the container. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The first word of what it runs. */
  readonly command: string;
  readonly hasBindMounts: boolean;
}

/**
 * Most of an annotation that is looked at, characters: a user may write 256 KiB, and an expression such as `.*a.*` takes the square of it
 * on the event loop.
 */
const LOOKED_AT = 4096;

/** Whether all conditions that are given hold, and one is given. `false` never holds. */
export function matches({ always, annotations, commands, hasBindMounts }: When, subject: HookSubject): boolean {
  const given = [
    ...(always === undefined ? [] : [always]),
    ...(hasBindMounts === undefined ? [] : [hasBindMounts && subject.hasBindMounts]),
    ...annotations.map((pair) => hasAnnotation(subject.annotations, pair)),
    ...(commands.length === 0 ? [] : [commands.some((command) => command.test(subject.command.slice(0, LOOKED_AT)))]),
  ];
  return given.length > 0 && given.every(Boolean);
}

function hasAnnotation(annotations: Readonly<Record<string, string>>, [key, value]: readonly [RegExp, RegExp]): boolean {
  return Object.entries(annotations).some(([name, text]) => key.test(name.slice(0, LOOKED_AT)) && value.test(text.slice(0, LOOKED_AT)));
}
