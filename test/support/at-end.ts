/** What is done at the end of a test file. */
import { after } from 'node:test';

const works: (() => Promise<void>)[] = [];

/**
 * Has it done after the last test, in the order of the calls, and also where one before it fails: node runs no `after` hook behind
 * one that throws, so a daemon that another hook would have ended kept its file for ever.
 */
export function atEnd(work: () => Promise<void>): void {
  if (works.length === 0) after(doAll);
  works.push(work);
}

async function doAll(): Promise<void> {
  const failures: unknown[] = [];
  for (const work of works) await work().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
