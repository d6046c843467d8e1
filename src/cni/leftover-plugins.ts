import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { findProcessesByEnvironment, isAlive, SIGKILL, signalProcess } from '../linux/process.ts';
import type { AttachmentRecords } from './attachment-records.ts';

const ROUNDS = 20;
const ROUND_MS = 100;

/** Ends every plugin of an attachment without a result, and the DELs of the others. Which were under way is not on disk. */
export async function endLeftovers(records: readonly AttachmentRecords[], log: Log): Promise<void> {
  const unfinished = records
    .flatMap((each) => each.all().filter(({ result }) => result === undefined))
    .map(({ containerId }) => containerId);
  const others = records.flatMap((each) => each.ids()).filter((id) => !unfinished.includes(id));
  try {
    const killed = (await endLeftoverPlugins(unfinished)) + (await endLeftoverPlugins(others, 'DEL'));
    if (killed > 0) log.warn(`killed ${killed} plugin processes that an earlier daemon left running`);
  } catch (error) {
    log.error(`look for plugins that an earlier daemon left running: ${messageOf(error)}`);
  }
}

/**
 * Ends the plugins that a killed daemon left running for containers, so that no late ADD comes after our DEL, and no two DELs
 * run at once. They are known by CNI_CONTAINERID in their environment, which what they start (IPAM plugins, iptables) inherits.
 * @param command only plugins that run this command: what an ADD that worked has left running belongs to the network.
 * @returns how many processes were killed.
 */
async function endLeftoverPlugins(containerIds: readonly string[], command?: 'DEL'): Promise<number> {
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
