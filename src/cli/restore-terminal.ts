/** Signals that would end us and leave a terminal behind that shows nothing of what is typed. */
const ENDING_SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Does work that has changed the terminal, and then has it as it was, whatever ends us. */
export async function withRestored<T>(restore: () => void, work: () => Promise<T>): Promise<T> {
  const enders = Object.entries(ENDING_SIGNALS).map(([signal, number]) => {
    const end = (): never => process.exit(128 + number); // which restores
    process.once(signal, end);
    return () => process.off(signal, end);
  });
  process.once('exit', restore);
  try {
    return await work();
  } finally {
    restore();
    process.off('exit', restore);
    for (const off of enders) off();
  }
}
