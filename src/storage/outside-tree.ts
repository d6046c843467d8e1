import { fail, messageOf } from '../base/errors.ts';
import { runAt } from '../linux/reluctant-place.ts';

/** The tree of a layer that lies elsewhere: in a store that others keep, and that is only read. */
export interface OutsideTree {
  readonly tree: string;
  /** The directory of the store that has it. */
  readonly store: string;
}

/** How long an additional store may take to show its layers before a container is not made, milliseconds. */
const OUTSIDE_MS = 10_000;
/** How long a job that reads directories of them may take, milliseconds: as a reading of a whole store. */
export const OUTSIDE_JOB_MS = 30_000;

/** Resolves where trees are there. @throws FailedPrecondition, Unavailable where one is not, or its store does not answer. */
export async function askOutside(trees: readonly OutsideTree[]): Promise<void> {
  for (const store of new Set(trees.map((each) => each.store))) {
    const paths = trees.filter((each) => each.store === store).map(({ tree }) => tree);
    const what = `use layers of the store ${store}`;
    const { exit, stdout, stderr } = await runAt(store, 'stat', { args: ['--format=%F', '--', ...paths], timeoutMs: OUTSIDE_MS }).catch(
      (error: unknown) => fail('Unavailable', `${what}: it does not answer: ${messageOf(error)}`),
    );
    const isSound = exit.code === 0 && stdout.toString() === 'directory\n'.repeat(paths.length);
    if (!isSound) fail('FailedPrecondition', `${what}: ${stderr.toString().trim().slice(0, 500) || 'a layer is no directory'}`);
  }
}
