/** What is done at the end of a test file. */
import { after } from 'node:test';

const works: (() => Promise<void>)[] = [];
const lastWorks: (() => Promise<void>)[] = [];

/**
 * Has it done after the last test, in the order of the calls, and also where one before it fails: node runs no `after` hook behind
 * one that throws, so a daemon that another hook would have ended kept its file for ever.
 */
export function atEnd(work: () => Promise<void>): void {
  begin();
  works.push(work);
}

/** Has it done behind all that {@link atEnd} was asked for, before or after this: it looks at what those have ended. */
export function lastAtEnd(work: () => Promise<void>): void {
  begin();
  lastWorks.push(work);
}

function begin(): void {
  if (works.length + lastWorks.length === 0) after(doAll);
}

async function doAll(): Promise<void> {
  const failures: unknown[] = [];
  for (const work of [...works, ...lastWorks]) await work().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
