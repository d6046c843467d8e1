import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { unlessMissing, unlessReadOnly } from '../base/errors.ts';
import { Field, present } from '../base/field.ts';

const FILE = 'boot.json';
/** Boots that ended uncleanly, one after the other, before any daemon had the time to look. */
const MOST_BOOTS = 100;

interface Marks {
  /** The boot in which a daemon works on the layers, or did when the node went down. */
  readonly running?: string | undefined;
  /** Boots that ended uncleanly, with layers that nobody has looked at yet. */
  readonly unclean: readonly string[];
}

/** Tells a start which boots of the node ended without an end of the daemon: what was written in them a disk may have lost. */
export class BootMarks {
  readonly #path: string;
  #unclean: readonly string[] = [];

  constructor(directory: string) {
    this.#path = join(directory, FILE);
  }

  /** Says that work begins in `boot`. @returns the boots that ended uncleanly and whose layers are still to be looked at. */
  async begin(boot: string): Promise<readonly string[]> {
    const { running, unclean } = read(await unlessMissing(readFile(this.#path, 'utf8'), ''));
    const ended = running === undefined || running === boot ? [] : [running];
    this.#unclean = [...new Set([...unclean, ...ended])].slice(-MOST_BOOTS);
    await this.#write(boot);
    return this.#unclean;
  }

  /** All layers of those boots are looked at. */
  async settled(boot: string): Promise<void> {
    this.#unclean = [];
    await this.#write(boot);
  }

  /** Says that the work has ended as it should. */
  async end(): Promise<void> {
    await this.#write(undefined);
  }

  async #write(running: string | undefined): Promise<void> {
    const marks: Marks = { ...present({ running }), unclean: this.#unclean };
    await unlessReadOnly(writeFileAtomic(this.#path, JSON.stringify(marks)));
  }
}

/** What cannot be read says nothing: no layer is looked at for it. */
function read(text: string): Marks {
  if (text === '') return { unclean: [] };
  try {
    const marks = Field.parse(text, '');
    return { ...present({ running: marks.at('running').given?.text() }), unclean: marks.at('unclean').texts() };
  } catch {
    return { unclean: [] };
  }
}
