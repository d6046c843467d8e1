/** Reads a CDI spec file. What the upstream library accepts is accepted, what it refuses is refused. */
import { fail } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { isDeviceName, isKind } from './device-name.ts';
import { fieldsOf, isEmpty, listOf, readEdits, textOf } from './read-edits.ts';
import { checkVersion } from './required-version.ts';
import type { CdiDevice, CdiSpec } from './spec.ts';

/** @throws DaemonError InvalidArgument that names the field. */
export function readSpec(document: unknown): CdiSpec {
  if (document === undefined || document === null) fail('InvalidArgument', 'it is empty, must be a CDI spec');
  const at = fieldsOf(new Field(document, ''), ['cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits']);
  const kind = textOf(at('kind'));
  const spec: CdiSpec = {
    cdiVersion: textOf(at('cdiVersion')),
    kind: isKind(kind) ? kind : at('kind').refuse('VENDOR/CLASS, such as vendor.com/gpu'),
    annotations: annotationsOf(at('annotations')),
    devices: listOf(at('devices'), readDevice),
    containerEdits: readEdits(at('containerEdits')),
  };
  checkVersion(spec);
  if (spec.devices.length === 0) fail('InvalidArgument', 'devices: must be a list of at least one');
  const names = new Set<string>();
  for (const { name } of spec.devices) {
    if (names.has(name)) fail('InvalidArgument', `devices: the name ${name} must be given once`);
    names.add(name);
  }
  return spec;
}

function readDevice(field: Field): CdiDevice {
  const at = fieldsOf(field, ['name', 'annotations', 'containerEdits']);
  const name = textOf(at('name'));
  if (!isDeviceName(name)) at('name').refuse('of letters, digits and _-.: with a letter or digit at both ends');
  const containerEdits = readEdits(at('containerEdits'));
  if (isEmpty(containerEdits)) at('containerEdits').refuse('of at least one edit');
  return { name, annotations: annotationsOf(at('annotations')), containerEdits };
}

/** They say something about the device to people, and reach no container; so their keys may be any, as for the library. */
function annotationsOf(field: Field): Record<string, string> {
  const given = field.given;
  if (given === undefined) return {};
  return Object.fromEntries(Object.keys(given.object()).map((key) => [key, textOf(given.at(key))]));
}
