/** Like Promise.all, but fails only when all have ended, so that an undo never runs beside the work that it takes back. */
export async function allSettledOrThrow<T extends readonly Promise<unknown>[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return (await Promise.all(work));
}
