import { sleep } from '../base/deadline.ts';
import { findProcessesByEnvironment, isAlive, SIGKILL, signalProcess } from '../linux/process.ts';

const ROUNDS = 20;
const ROUND_MS = 100;

/**
 * Ends the plugins that a killed daemon left running for a container, so that no late ADD comes after our DEL. They are
 * known by CNI_CONTAINERID in their environment, which what they start (IPAM plugins, iptables) inherits.
 * @returns how many processes were killed.
 */
export async function endLeftoverPlugins(containerId: string): Promise<number> {
  const killed = new Set<number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const running = await findProcessesByEnvironment('CNI_CONTAINERID', containerId);
    if (running.length === 0) break;
    for (const identity of running) {
      if (await signalProcess(identity, SIGKILL)) killed.add(identity.pid);
    }
    // A process stuck in the kernel dies later: it is waited for a while, not for ever.
    for (const identity of running) if (await isAlive(identity)) await sleep(ROUND_MS);
  }
  return killed.size;
}
