/** Like Promise.all, but fails only when all have ended, so that an undo never runs beside the work that it takes back. */
export async function allSettledOrThrow<T extends readonly Promise<unknown>[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

/** Runs every step in order, also after one has failed. @throws the first failure, when all have been run. */
export async function runAllInOrder(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
