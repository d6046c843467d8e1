import { Field } from '../base/field.ts';
import type { JsonObject } from '../base/json.ts';
import type { OciMount } from './oci-types.ts';
import { exactIntegers } from './spec-json.ts';

/** A config.json that is on disk, with what is asked of it. */
export interface SavedSpec {
  /** All of it. */
  readonly document: JsonObject;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly Pick<OciMount, 'destination' | 'source' | 'type'>[];
  readonly apparmorProfile: string | undefined;
}

/** Reads the spec of a container that was made before. @throws InvalidArgument that names the field. */
export function readSpec(text: string): SavedSpec {
  const spec = Field.parse(text, 'config.json', exactIntegers);
  return {
    document: spec.object(),
    annotations: spec.at('annotations').given?.map() ?? {},
    mounts: spec.at('mounts').list((mount) => ({
      destination: mount.at('destination').text(),
      source: mount.at('source').given?.text() ?? '',
      type: mount.at('type').given?.text() ?? '',
    })),
    apparmorProfile: spec.at('process').at('apparmorProfile').given?.text() || undefined,
  };
}
