/** Reads a file of a hooks.d directory, version 1.0.0: oci-hooks(5) of containers/common. */
import { Field } from '../base/field.ts';

export const STAGES = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
export type Stage = (typeof STAGES)[number];

/** A program for the OCI runtime to run, for which containers, and when. */
export interface HookFile {
  readonly hook: HookProgram;
  readonly when: When;
  readonly stages: readonly Stage[];
}

export interface HookProgram {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** Conditions; all that are given must hold, and one must be given. */
export interface When {
  readonly always?: boolean;
  /** For each pair the container must have an annotation whose key and value match. */
  readonly annotations: readonly (readonly [key: RegExp, value: RegExp])[];
  /** Of which one must match the container's program; none: any program. */
  readonly commands: readonly RegExp[];
  readonly hasBindMounts?: boolean;
}

/** Fields that we do not know are passed over, as by the peers. @throws DaemonError InvalidArgument that names the field. */
export function readHook(text: string): HookFile {
  const document = Field.parse(text, '');
  document.at('version').oneOf(['1.0.0']);
  const when = document.at('when');
  const [always, hasBindMounts] = [when.at('always').given?.flag(), when.at('hasBindMounts').given?.flag()];
  const annotations = when.at('annotations').given;
  return {
    hook: readProgram(document.at('hook')),
    when: {
      ...(always === undefined ? {} : { always }),
      annotations: annotations === undefined ? [] : Object.keys(annotations.map()).map((key) => pairOf(annotations, key)),
      commands: when.at('commands').given?.list((command) => pattern(command, command.text())) ?? [],
      ...(hasBindMounts === undefined ? {} : { hasBindMounts }),
    },
    stages: document.at('stages').list((stage) => stage.oneOf(STAGES)),
  };
}

function readProgram(hook: Field): HookProgram {
  const path = hook.at('path').text();
  if (!path.startsWith('/')) hook.at('path').refuse('an absolute path');
  const [args, env, timeout] = [hook.at('args').given?.texts(), hook.at('env').given?.texts(), hook.at('timeout').given?.count()];
  return {
    path,
    ...(args === undefined ? {} : { args }),
    ...(env === undefined ? {} : { env }),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

function pairOf(annotations: Field, key: string): [RegExp, RegExp] {
  const value = annotations.at(key);
  return [pattern(value, key), pattern(value, value.text())];
}

/**
 * A regular expression of Go as one of ours. With the flag u all that would mean something else here is refused; flags in front and
 * escaped punctuation, which Go has besides, are translated.
 */
function pattern(field: Field, source: string): RegExp {
  const [, flags = '', rest = ''] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(source) ?? [];
  const translated = rest.replaceAll(/\\(.)/gs, (whole, letter: string) =>
    /[!"#%&',:;<=>@`~_-]/.test(letter) ? `\\x${letter.charCodeAt(0).toString(16)}` : whole,
  );
  try {
    return new RegExp(translated, `u${[...new Set(flags)].join('')}`);
  } catch {
    return field.refuse('a regular expression that is known here');
  }
}
