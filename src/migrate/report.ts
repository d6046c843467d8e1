import type { TomlValue } from '../config/kinds.ts';

/**
 * What became of a key. `carried`: it is in our configuration. `needless`: nothing is lost without it. `lost`: the node will not do any more
 * what it was told here. `unknown`: the other runtime has no such key, as far as we know it.
 */
export type Fate = 'carried' | 'needless' | 'lost' | 'unknown';

export interface ReportLine {
  readonly fate: Fate;
  /** Their key, as TOML names it. */
  readonly key: string;
  /** The file that sets it; or who has it built in. */
  readonly file: string;
  readonly line?: number;
  /** Our key, where it was carried. */
  readonly to?: string;
  /** What our key has now; left out where it is secret. */
  readonly value?: TomlValue;
  /** Why it was not carried, or by which file it was. */
  readonly why?: string;
}

/** One of our keys that comes of one of theirs. */
export interface Entry {
  readonly to: readonly string[];
  readonly value: TomlValue;
  /** Where it comes from: `crio.runtime.conmon, /etc/crio/crio.conf:12`. */
  readonly from: string;
}

/** A file beside the configuration, which it names. */
export interface SideFile {
  readonly path: string;
  readonly text: string;
  /** Whether nobody else may read it. */
  readonly isPrivate: boolean;
}

/** A path of keys as TOML writes it. */
export function tomlKey(path: readonly string[]): string {
  return path.map((part) => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))).join('.');
}
