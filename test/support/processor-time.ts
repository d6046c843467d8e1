/** How long a computation takes, on a machine that does other things besides. */

/** The processor time of a computation, milliseconds: it does not count the time in which others have the processor. */
export function processorMsOf(compute: () => unknown): number {
  const before = process.threadCpuUsage();
  compute();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
