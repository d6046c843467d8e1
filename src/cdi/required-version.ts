/** The versions of CDI specs, and what came with each: a spec may use what its own version has. */
import { fail } from '../base/errors.ts';
import type { CdiSpec, ContainerEdits } from './spec.ts';

/** Every version there was; those up to 0.3.0 are read as 0.3.0. */
const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0'] as const;
type Version = (typeof VERSIONS)[number];
const EARLIEST: Version = '0.3.0';

/** What a version brought, newest first. */
const BROUGHT: readonly (readonly [Version, isUsed: (spec: CdiSpec, edits: readonly ContainerEdits[]) => boolean])[] = [
  ['1.1.0', (_, edits) => edits.some(({ netDevices, intelRdt }) => netDevices.length > 0 || intelRdt?.schemata !== undefined || intelRdt?.enableMonitoring === true)], // prettier-ignore
  ['0.7.0', (_, edits) => edits.some(({ intelRdt, additionalGids }) => intelRdt !== undefined || additionalGids.length > 0)],
  ['0.6.0', (spec) => [spec, ...spec.devices].some(({ annotations }) => Object.keys(annotations).length > 0) || /\/.*\./.test(spec.kind)],
  ['0.5.0', (spec, edits) => spec.devices.some(({ name }) => /^\d/.test(name)) || edits.some(({ deviceNodes }) => deviceNodes.some(({ hostPath }) => hostPath !== ''))], // prettier-ignore
  ['0.4.0', (_, edits) => edits.some(({ mounts }) => mounts.some(({ type }) => type !== ''))],
];

/** The least version that has all that a spec uses. */
export function requiredVersion(spec: CdiSpec): Version {
  const edits = [spec.containerEdits, ...spec.devices.map(({ containerEdits }) => containerEdits)];
  return BROUGHT.find(([, isUsed]) => isUsed(spec, edits))?.[0] ?? EARLIEST;
}

/** @throws DaemonError InvalidArgument for a version that is none, or is older than what the spec uses. */
export function checkVersion(spec: CdiSpec): void {
  const own = spec.cdiVersion.replace(/^v/, '');
  const index = VERSIONS.findIndex((version) => version === own);
  if (index === -1) {
    fail(
      'InvalidArgument',
      `cdiVersion: must be one of ${VERSIONS.slice(2).join(', ')}, is ${JSON.stringify(spec.cdiVersion.slice(0, 64))}`,
    );
  }
  const required = requiredVersion(spec);
  if (index < VERSIONS.indexOf(required)) fail('InvalidArgument', `cdiVersion: must be at least ${required} for what is used, is ${own}`);
}
