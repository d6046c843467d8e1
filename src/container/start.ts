import { messageOf } from '../base/errors.ts';
import { present } from '../base/field.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { nowNs } from '../base/time.ts';
import { requireState, type Container, type ContainerRecord, type ContainerState } from './container.ts';
import { runtimeOf, type ContainerParts } from './parts.ts';
import { restoreContainer } from './restore-checkpoint.ts';

/** What a start has to do with the end of its container. */
export interface StartLife {
  /** Runs the runtime's command; it ends where a stop comes to SIGKILL. */
  readonly untilKilled: (command: (signal: AbortSignal) => Promise<void>) => Promise<void>;
  readonly isBeingKilled: () => boolean;
  /** Follows the monitor of a container that was restored. */
  readonly watchMonitor: (exit: Promise<unknown>) => void;
  /** Ends a container that its runtime could not start, with the runtime's words. */
  readonly endFailed: (message: string) => Promise<void>;
}

/**
 * Lets a Created container run. The caller holds its lock.
 * @throws the runtime's words where the command cannot run, or a refusal; the container is then Exited, with them as its message.
 */
export async function startContainer(parts: ContainerParts, container: Container, life: StartLife): Promise<void> {
  requireState(container, 'start');
  await parts.lifecycle.start(container, async (ask) => launch(parts, container, life, ask));
}

/**
 * The intent is on record first: a crash in between must not lose the start time of a container that got to run. A loss of power
 * ends the container anyway, so the intent is not flushed.
 */
async function launch(parts: ContainerParts, { record, state }: Container, life: StartLife, ask: () => Promise<void>): Promise<void> {
  const { store } = parts;
  await orEnd(record, life, ask);
  stage('container.start-hooked');
  let made = madeOf(state);
  const startedAtNs = nowNs();
  const starting: ContainerState = { ...made, is: 'Starting', startedAtNs };
  await step('write record', async () => store.save(record.id, starting, { durable: false }));
  stage('container.starting');
  await orEnd(record, life, async () =>
    life.untilKilled(async (signal) => {
      if (record.checkpoint === undefined) {
        await runtimeOf(parts, record).start(record.id, signal);
        return;
      }
      const { process, monitor, monitorExit } = await restoreContainer(parts, record, record.checkpoint, signal);
      made = { ...made, process, monitor };
      life.watchMonitor(monitorExit);
    }),
  );
  stage('container.started');
  // A very short container may have ended by now, but its end is recorded under this same lock, so after us. It runs, whatever
  // the disk says: the caller must not be told otherwise, nor wait for it, and the intent is enough for a restart. But the intent
  // of one that was restored does not say which processes it has.
  const running: ContainerState = { ...made, is: 'Running', startedAtNs };
  const written = showRunning(parts, record, running);
  if (record.checkpoint !== undefined) await written;
  stage('container.running');
}

/** Never rejects. */
async function showRunning({ store, log }: ContainerParts, { id }: ContainerRecord, running: ContainerState): Promise<void> {
  const unsaved = await store.showThenSave(id, running).catch((error: unknown) => error);
  if (unsaved !== undefined) log.error('a container runs, but that could not be written', { containerId: id, error: messageOf(unsaved) });
}

/** Does a step of a start. Where it fails, the container is ended: the stop that kills it writes its record, where there was something to kill. */
async function orEnd({ checkpoint }: ContainerRecord, life: StartLife, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!life.isBeingKilled() || checkpoint !== undefined) await life.endFailed(messageOf(error));
    throw error;
  }
}

/** What every state of a made container carries. */
export function madeOf(state: ContainerState): Pick<ContainerState, 'process' | 'monitor' | 'user' | 'resources' | 'chosenCgroup'> {
  const { process, monitor, user, resources, chosenCgroup } = state;
  return { process, monitor, user, resources, ...present({ chosenCgroup }) };
}
