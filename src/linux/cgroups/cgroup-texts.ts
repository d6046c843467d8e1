import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../../base/errors.ts';
import type { Pressure, PressureLine } from './figures.ts';

/** v1 says "no limit" with the largest page-aligned number. */
export const V1_NO_LIMIT = 2n ** 62n;

/** The files of one cgroup, as they were when they were read. */
export class CgroupTexts {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #flat = new Map<string, Readonly<Record<string, bigint>>>();

  private constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts;
  }

  /** @param directoryOf the cgroup's directory for a controller, by which a file's name begins; undefined where there is none */
  static async read(directoryOf: (controller: string) => string | undefined, names: readonly string[]): Promise<CgroupTexts> {
    const texts = new Map<string, string>();
    await Promise.all(
      names.map(async (name) => {
        const directory = directoryOf(name.slice(0, name.indexOf('.')));
        if (directory === undefined) return;
        const path = join(directory, name);
        const text = isAtHand(name) ? readAtOnce(path) : await readCgroupFile(path);
        if (text !== undefined) texts.set(name, text);
      }),
    );
    return new CgroupTexts(texts);
  }

  /** Undefined where there is no such file, or no such cgroup any more. */
  text(name: string): string | undefined {
    return this.#texts.get(name);
  }

  /** A file of one number; undefined for `max` and where there is no such file. */
  number(name: string): bigint | undefined {
    return parseNumber(this.text(name));
  }

  /** A file of one number; 0 for no limit, undefined where there is no such file. */
  limit(name: string): bigint | undefined {
    return parseLimit(this.text(name));
  }

  /** A file of lines of a name and a number; nothing where there is no such file. */
  flat(name: string): Readonly<Record<string, bigint>> {
    const known = this.#flat.get(name) ?? parseFlat(this.text(name) ?? '');
    this.#flat.set(name, known);
    return known;
  }

  pressure(name: string): Pressure | undefined {
    return parsePressure(this.text(name));
  }
}

/** Lines of a name and a number. */
export function parseFlat(text: string): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  for (const line of text.split('\n')) {
    const [name = '', value = ''] = line.split(' ');
    if (/^\d+$/.test(value)) values[name] = BigInt(value);
  }
  return values;
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same for full; undefined where the kernel keeps none. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  const line = (name: string): PressureLine | undefined => {
    const match = new RegExp(`^${name} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)`, 'm').exec(text ?? '');
    return match === null
      ? undefined
      : { avg10: Number(match[1]), avg60: Number(match[2]), avg300: Number(match[3]), totalUs: BigInt(match[4] ?? 0) };
  };
  const some = line('some');
  return some === undefined ? undefined : { some, full: line('full') ?? { avg10: 0, avg60: 0, avg300: 0, totalUs: 0n } };
}

/** Undefined for what is no number. */
export function parseNumber(text: string | undefined): bigint | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? BigInt(trimmed) : undefined;
}

/** `max`, -1 and version 1's greatest number are no limit. */
export function parseLimit(text: string | undefined): bigint | undefined {
  const trimmed = text?.trim();
  if (trimmed === 'max' || trimmed === '-1') return 0n;
  const value = parseNumber(trimmed);
  return value !== undefined && value >= V1_NO_LIMIT ? 0n : value;
}

/** The value of `name` in a file of `name value` lines: memory.events, memory.oom_control, cgroup.events. */
export function eventCount(text: string, name: string): number | undefined {
  for (const line of text.split('\n')) {
    const [key, value] = line.split(' ');
    if (key === name && value !== undefined && value !== '') return Number(value);
  }
  return undefined;
}

/** How many processes the kernel killed for lack of memory, by this file; undefined where it is gone. */
export function readOomKills(file: string): number | undefined {
  return eventCount(readAtOnce(file) ?? '', 'oom_kill');
}

/** The same beside the event loop, for one of many: whoever may make cgroups decides how many. */
export async function readOomKillsBeside(file: string): Promise<number | undefined> {
  return eventCount((await readCgroupFile(file)) ?? '', 'oom_kill');
}

/** Sums that the kernel makes for the reader, over all processors and cgroups below (rstat), and what block devices have to be asked for. */
const MADE_FOR_READER = /^(blkio|io)\.|\.(stat|pressure)$/;

/** Whether a file has numbers that the kernel has at hand. To read it takes 15 us then; by libuv's pool, of which a file takes four trips, ten times that. */
function isAtHand(name: string): boolean {
  return !MADE_FOR_READER.test(name);
}

function readAtOnce(file: string): string | undefined {
  try {
    // eslint-disable-next-line no-restricted-syntax -- waits for nothing
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function readCgroupFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** The cgroup may go while it is read; pressure files say EOPNOTSUPP where PSI is off. */
function isAbsent(error: unknown): boolean {
  return hasErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP');
}
