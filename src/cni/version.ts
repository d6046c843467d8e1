/** The CNI spec versions that Podwright speaks, oldest first (containernetworking/cni, SPEC.md, "Released versions"). */
export const SPEC_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

const NEWEST = SPEC_VERSIONS[SPEC_VERSIONS.length - 1] ?? '';

function numbersOf(version: string): [number, number, number] {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?$/.exec(version);
  if (match === null) throw new Error(`"${version}" is not a CNI version, must be like 1.0.0`);
  return [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** Negative where `left` is older than `right`, 0 where equal. @throws Error where one is not a version. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [numbersOf(left), numbersOf(right)];
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** Whether `version` is `wanted` or newer. */
export function atLeast(version: string, wanted: string): boolean {
  return compareVersions(version, wanted) >= 0;
}

/**
 * The version to run a network with: the newest of `cniVersion` and `cniVersions` that Podwright speaks. A configuration
 * that names none is of version 0.1.0, from before the field was there.
 * @throws Error where all of them are unknown.
 */
export function chooseVersion(cniVersion: string | undefined, cniVersions: readonly string[] = []): string {
  const offered = [...(cniVersion === undefined || cniVersion === '' ? [] : [cniVersion]), ...cniVersions];
  if (offered.length === 0) return '0.1.0';
  const known = offered.filter((version) => compareVersions(version, NEWEST) <= 0);
  const newest = known.sort(compareVersions).at(-1);
  if (newest === undefined) throw new Error(`cniVersion is ${offered.join(', ')}, must be ${NEWEST} or older`);
  return newest;
}
