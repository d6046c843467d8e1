import { sleep } from '../base/deadline.ts';
import { findProcessesByEnvironment, isAlive, SIGKILL, signalProcess } from '../linux/process.ts';

const ROUNDS = 20;
const ROUND_MS = 100;

/**
 * Ends the plugins that a killed daemon left running for containers, so that no late ADD comes after our DEL, and no two DELs
 * run at once. They are known by CNI_CONTAINERID in their environment, which what they start (IPAM plugins, iptables) inherits.
 * @param command only plugins that run this command: what an ADD that worked has left running belongs to the network.
 * @returns how many processes were killed.
 */
export async function endLeftoverPlugins(containerIds: readonly string[], command?: 'DEL'): Promise<number> {
  if (containerIds.length === 0) return 0;
  const killed = new Set<number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const running = await findProcessesByEnvironment(
      'CNI_CONTAINERID',
      containerIds,
      command === undefined ? {} : { CNI_COMMAND: command },
    );
    if (running.length === 0) break;
    for (const identity of running) {
      if (await signalProcess(identity, SIGKILL)) killed.add(identity.pid);
    }
    // A process stuck in the kernel dies later: it is waited for a while, not for ever, and all of them together.
    const areAlive = await Promise.all(running.map(isAlive));
    if (areAlive.includes(true)) await sleep(ROUND_MS);
  }
  return killed.size;
}
