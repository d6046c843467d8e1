/** Finds asked CDI devices in the spec files, and all that is to be done for them. */
import { fail } from '../base/errors.ts';
import { parseDeviceName } from './device-name.ts';
import type { ContainerEdits } from './spec.ts';
import type { SpecFile, Specs } from './spec-directories.ts';

/** Edits, and whose they are. */
export interface FoundEdits {
  /** For refusals: `CDI device vendor.com/gpu=0 of /etc/cdi/vendor.json`. */
  readonly of: string;
  readonly edits: ContainerEdits;
}

/**
 * The edits for these devices, in the order of their names; those of a spec file come before those of its first device. Of two
 * files the one in the later directory counts. Two in the same directory conflict, also where a later directory has a third, as
 * the upstream library has it.
 * @throws DaemonError FailedPrecondition for a conflict, NotFound for a device that no file has.
 */
export function findDevices(specs: Specs, names: readonly string[]): FoundEdits[] {
  const found = names.map((name) => ({ name, file: fileOf(specs, name) }));
  const missing = found.filter(({ file }) => file === undefined).map(({ name }) => name);
  if (missing.length > 0) fail('NotFound', unresolvable(specs, missing));
  const seen = new Set<SpecFile>();
  const all: FoundEdits[] = [];
  for (const { name, file } of found) {
    if (file === undefined) continue;
    if (!seen.has(file)) all.push({ of: `CDI spec ${file.path}`, edits: file.spec.containerEdits });
    seen.add(file);
    const device = file.spec.devices.find((each) => each.name === parseDeviceName(name)?.name);
    if (device !== undefined) all.push({ of: `CDI device ${name} of ${file.path}`, edits: device.containerEdits });
  }
  return all;
}

/** The file whose device of this name counts. */
function fileOf({ files }: Specs, asked: string): SpecFile | undefined {
  const { kind, name } = parseDeviceName(asked) ?? {};
  const having = files.filter(({ spec }) => spec.kind === kind && spec.devices.some((device) => device.name === name));
  const rivals = having.filter(({ priority }) => having.filter((other) => other.priority === priority).length > 1);
  if (rivals.length > 0) {
    const paths = rivals.map(({ path }) => path).join(', ');
    fail('FailedPrecondition', `create container: CDI device ${asked} is in the spec files ${paths}, must be in one of a directory`);
  }
  return having.toSorted((one, other) => other.priority - one.priority)[0];
}

function unresolvable({ directories, broken }: Specs, missing: readonly string[]): string {
  const vendors = new Set(missing.map(vendorOf));
  const suspects = broken.filter(({ kind }) => kind === undefined || vendors.has(vendorOf(kind)));
  const where = directories.length === 0 ? 'cdi_spec_dirs is empty' : `no spec file in ${directories.join(', ')} has them`;
  const notUsed = suspects.map(({ path, error }) => `; ${path} is not used: ${error}`).join('');
  return `create container: unresolvable CDI devices ${missing.join(', ')}: ${where}${notUsed}`;
}

function vendorOf(name: string): string {
  return name.split('/', 1)[0] ?? '';
}
