/** How mounts made below spread: mount_namespaces(7). */
export type Propagation = 'shared' | 'slave' | 'private' | 'unbindable';

/** One line of /proc/PID/mountinfo, proc(5). */
export interface MountEntry {
  readonly id: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Which directory of the file system is mounted. */
  readonly root: string;
  readonly target: string;
  /** The mount's own options: ro, nosuid, ... */
  readonly options: readonly string[];
  /** `shared` also for one that is a slave as well. */
  readonly propagation: Propagation;
  /** Whether it receives what is mounted at its master: `slave`, or shared and slave. */
  readonly isSlave: boolean;
  readonly type: string;
  readonly source: string;
  /** The file system's options: `lowerdir=...`, `size=...`, the controllers of a cgroup v1 mount. */
  readonly superOptions: readonly string[];
}

/** Reads the text of /proc/PID/mountinfo; a line it cannot read is left out. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const entry = parseLine(line);
    return entry === undefined ? [] : [entry];
  });
}

function parseLine(line: string): MountEntry | undefined {
  const fields = line.split(' ');
  const [id, , device, root, target, options] = fields;
  const separator = fields.indexOf('-', 6);
  const [type, source, superOptions] = separator === -1 ? [] : fields.slice(separator + 1);
  if (device === undefined || root === undefined || target === undefined || options === undefined || type === undefined) return undefined;
  const tags = fields.slice(6, separator);
  return {
    id: Number(id),
    device,
    root: unescape(root),
    target: unescape(target),
    options: options.split(','),
    propagation: propagationOfTags(tags),
    isSlave: tags.some((tag) => tag.startsWith('master:')),
    type,
    source: unescape(source ?? ''),
    superOptions: (superOptions ?? '').split(',').map(unescape),
  };
}

function propagationOfTags(tags: readonly string[]): Propagation {
  if (tags.some((tag) => tag.startsWith('shared:'))) return 'shared';
  if (tags.some((tag) => tag.startsWith('master:'))) return 'slave';
  return tags.includes('unbindable') ? 'unbindable' : 'private';
}

/** The kernel writes blank, tab, newline, backslash and # as an octal escape of one byte. */
function unescape(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** The mount that `path` lies on, by the names alone: the path is not touched, so give one without symlinks. */
export function mountOf(mounts: readonly MountEntry[], path: string): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const entry of mounts) {
    // A later mount at the same place covers the earlier one.
    if (isAtOrBelow(path, entry.target) && entry.target.length >= (best?.target.length ?? 0)) best = entry;
  }
  return best;
}

export function isAtOrBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}
