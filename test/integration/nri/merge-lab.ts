/** Answers of plugins merged by src/nri/merge and by the module's adaptation, and what of the two is compared. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { execa } from 'execa';
import { Field, messages } from '../../../api/nri/messages.ts';
import type {
  Codec,
  ContainerUpdate,
  CreateContainerRequest,
  CreateContainerResponse,
  Init,
  LinuxResources,
  UpdateContainerRequest,
  UpdateContainerResponse,
  ValidateContainerAdjustmentRequest,
} from '../../../api/nri/messages.ts';
import { messageOf } from '../../../src/base/errors.ts';
import { CreateResult } from '../../../src/nri/merge/create-result.ts';
import { defaultValidator } from '../../../src/nri/merge/default-validator.ts';
import { UpdateResult } from '../../../src/nri/merge/update-result.ts';
import type { DefaultValidatorSettings } from '../../../src/nri/settings.ts';

/** What plugins answer to one call, the first one first. */
export type MergeCase = { readonly name: string } & (
  | {
      readonly call: 'create';
      readonly request: Init<CreateContainerRequest>;
      readonly answers: readonly Init<CreateContainerResponse>[];
      readonly validator?: DefaultValidatorSettings;
    }
  | {
      readonly call: 'update';
      readonly request: Init<UpdateContainerRequest>;
      readonly answers: readonly Init<UpdateContainerResponse>[];
    }
  | { readonly call: 'stop'; readonly answers: readonly Init<UpdateContainerResponse>[] }
);

/** What became of it: a refusal, or messages. */
export interface Outcome {
  refusal?: string;
  updates?: ContainerUpdate[];
  /** Of the container itself, in an update. */
  own?: LinuxResources;
  /** Of a creation: what a validator is asked. The adjustments are in it. */
  validation?: ValidateContainerAdjustmentRequest;
  /** The request as the next plugin sees it. */
  seen?: CreateContainerRequest | UpdateContainerRequest;
}

const SCRIPT = join(import.meta.dirname, '../../../scripts/build-merge-reference.sh');
const built = await execa('bash', [SCRIPT], { reject: false });
export const notBuilt = built.exitCode !== 0 && `the merge reference is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

/** Plugins are named by their places: a, b, c with the indexes 10, 20, 30. */
const NAMES = ['a', 'b', 'c', 'd', 'e'];
export const pluginOf = (place: number): { name: string; index: string } => ({ name: NAMES[place]!, index: `${place + 1}0` });
const idOf = (place: number): string => `${pluginOf(place).index}-${pluginOf(place).name}`;

/** A message as the other side decodes it. */
function overTheWire<T>(type: Codec<T>, message: Init<NoInfer<T>>): T {
  return type.decode(type.encode(message));
}

export async function mergeHere(one: MergeCase): Promise<Outcome> {
  try {
    if (one.call === 'create') return await createHere(one);
    const request = one.call === 'stop' ? undefined : overTheWire(messages.UpdateContainerRequest, one.request);
    const result = new UpdateResult(request);
    one.answers.forEach((answer, place) => {
      result.apply(overTheWire(messages.UpdateContainerResponse, answer), idOf(place));
    });
    const { updates, resources } = result;
    if (one.call === 'stop') return { updates };
    return { updates, ...(resources !== undefined && { own: resources }), seen: result.request! };
  } catch (error) {
    return { refusal: messageOf(error) };
  }
}

async function createHere(one: MergeCase & { call: 'create' }): Promise<Outcome> {
  const result = new CreateResult(overTheWire(messages.CreateContainerRequest, one.request));
  one.answers.forEach((answer, place) => {
    result.apply(overTheWire(messages.CreateContainerResponse, answer), idOf(place));
  });
  const builtin = one.validator?.enable === true ? [{ name: 'default-validator', index: '00' }] : [];
  const plugins = [...builtin, ...one.answers.map((_, place) => pluginOf(place)), { name: 'witness', index: '99' }];
  const validation = overTheWire(messages.ValidateContainerAdjustmentRequest, result.validation(plugins));
  const refusal = one.validator === undefined ? undefined : await defaultValidator(one.validator)(validation);
  if (refusal !== undefined) return { refusal };
  assert.deepEqual(overTheWire(messages.ContainerAdjustment, result.adjust), validation.adjust);
  return { updates: result.updates, validation, seen: overTheWire(messages.CreateContainerRequest, result.request) };
}

interface Answered {
  readonly error?: string;
  readonly panic?: string;
  readonly update?: string;
  readonly own?: string;
  readonly validation?: string;
  readonly seen?: string;
}

/** What the module makes of each case. */
export async function mergeThere(cases: readonly MergeCase[]): Promise<Outcome[]> {
  const lines = cases.map((one) => JSON.stringify(forReference(one)));
  const { stdout } = await execa(built.stdout, { input: lines.join('\n') });
  return stdout.split('\n').map((line) => {
    const { error, panic, update, own, validation, seen } = JSON.parse(line) as Answered;
    if (panic !== undefined) return { refusal: `panic: ${panic}` };
    if (error !== undefined) return { refusal: error };
    const bytes = (text = ''): Buffer => Buffer.from(text, 'base64');
    const request = validation === undefined ? messages.UpdateContainerRequest : messages.CreateContainerRequest;
    return {
      updates: messages.UpdateContainerResponse.decode(bytes(update)).update,
      ...(own !== undefined && { own: messages.ContainerUpdate.decode(bytes(own)).linux!.resources! }),
      ...(validation !== undefined && { validation: messages.ValidateContainerAdjustmentRequest.decode(bytes(validation)) }),
      ...(seen !== undefined && { seen: request.decode(bytes(seen)) }),
    };
  });
}

function forReference(one: MergeCase): object {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const response = one.call === 'create' ? messages.CreateContainerResponse : messages.UpdateContainerResponse;
  const answers = one.answers.map((answer, place) => ({ ...pluginOf(place), response: base64(response.encode(answer)) }));
  if (one.call === 'stop') return { call: one.call, answers };
  if (one.call === 'update') return { call: one.call, answers, request: base64(messages.UpdateContainerRequest.encode(one.request)) };
  return {
    call: one.call,
    answers,
    request: base64(messages.CreateContainerRequest.encode(one.request)),
    validator: one.validator === undefined ? null : validatorOf(one.validator),
  };
}

/** The module's names of the settings, where they differ from ours by more than the case of their letters. */
function validatorOf({ tolerateMissingPluginsAnnotation, ...settings }: DefaultValidatorSettings): object {
  return { ...settings, tolerateMissingAnnotation: tolerateMissingPluginsAnnotation };
}

/** Who is refused, and about what. */
export interface Refusal {
  readonly about: string;
  readonly plugins: readonly string[];
}

const ENTRIES_IN_ANY_ORDER: readonly string[] = ['Annotations', 'Sysctl', 'LinuxNetDevices', 'CgroupsUnified'];

/** What a refusal says, in our words or the module's. Which entry of a map comes first is chance in Go: it is not compared. */
export function refusalOf(sentence: string): Refusal {
  const theirs = /^plugins "(?<plugin>[^"]*)" and "(?<other>[^"]*)" both tried to set (?<field>\w+) (?<key>.*)$/s;
  const ours = /^NRI plugins (?<plugin>\S+) and (?<other>\S+) both set (?<field>\w+)(?: "(?<key>.*)")? of container/s;
  const twice = /^NRI plugin (?<plugin>\S+) sets (?<field>\w+)(?: "(?<key>.*)")? of container .* twice$/s;
  const groups = [theirs, ours, twice].map((form) => form.exec(sentence)?.groups).find((found) => found !== undefined);
  if (groups !== undefined) {
    const { plugin = '', other = plugin, field = '', key = '' } = groups;
    if (ENTRIES_IN_ANY_ORDER.includes(field)) return { about: field, plugins: [plugin] };
    return { about: `${field} ${key}`.trim(), plugins: [plugin, other] };
  }
  const ownUpdate = [
    /^NRI plugin (?<plugin>\S+): update of container .* while it is created$/,
    /^plugin "(?<plugin>[^"]*)" asked update of .* during creation$/,
  ];
  const plugin = ownUpdate.map((form) => form.exec(sentence)?.groups?.['plugin']).find((found) => found !== undefined);
  if (plugin !== undefined) return { about: 'update during creation', plugins: [plugin] };
  return { about: sentence, plugins: [] };
}

/** The owners of a creation's fields without those that only we note: of the removals of sysctls. */
export function sysctlOwners(outcome: Outcome, id: string): Record<string, string> | undefined {
  return outcome.validation?.owners?.owners[id]?.compound[Field.Sysctl]?.owners;
}
