/** What the guest tells the host, one JSON line each on its second serial port. */
export type GuestLine =
  | { readonly kind: 'passed'; readonly name: string; readonly ms: number }
  | { readonly kind: 'failed'; readonly name: string; readonly ms: number; readonly why: string }
  | { readonly kind: 'skipped'; readonly name: string; readonly why: string }
  | { readonly kind: 'note'; readonly text: string }
  /** The boot's last line: the machine is about to go down, to be started again or not. */
  | { readonly kind: 'end'; readonly then: 'boot again' | 'done' };

/** Ends the boot's work: a step failed that all that follows stands on. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

export function tell(line: GuestLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** One thing that must be so. Others are tried even where it fails. */
export async function step(name: string, work: () => Promise<void>): Promise<boolean> {
  const begun = Date.now();
  try {
    await work();
    tell({ kind: 'passed', name, ms: Date.now() - begun });
    return true;
  } catch (error) {
    tell({ kind: 'failed', name, ms: Date.now() - begun, why: wordsOf(error) });
    return false;
  }
}

/** A step without which the rest of the boot says nothing. @throws {Broken} where it fails. */
export async function need<T>(name: string, work: () => Promise<T>): Promise<T> {
  const kept: { value?: T } = {};
  const passed = await step(name, async () => {
    kept.value = await work();
  });
  if (!passed) throw new Broken(name);
  return kept.value as T;
}

export function skip(name: string, why: string): void {
  tell({ kind: 'skipped', name, why });
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')).slice(0, 4).join('\n') ?? ''; // prettier-ignore
  return `${error.message}\n${place}`;
}
