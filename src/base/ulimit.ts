/** A resource limit of a container's processes; -1 is no limit. setrlimit(2). */
export interface Ulimit {
  /** `RLIMIT_NOFILE` and so on, as the OCI spec names them. */
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

/** What {@link parseUlimit} takes, for messages. */
export const ULIMIT = 'a limit such as "nofile=1024:4096" (-1: none), the soft half not above the hard one';

const ULIMITS = 'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ');

/** Reads "nofile=1024:4096": a name, a soft and a hard limit; undefined for any other text. */
export function parseUlimit(text: string): Ulimit | undefined {
  const [, name = '', softText, hardText] = /^([a-z]+)=(-1|\d+):(-1|\d+)$/.exec(text) ?? [];
  const soft = Number(softText);
  const hard = Number(hardText);
  if (!ULIMITS.includes(name) || !Number.isSafeInteger(soft) || !Number.isSafeInteger(hard)) return undefined;
  if (hard !== -1 && (soft === -1 || soft > hard)) return undefined;
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}
