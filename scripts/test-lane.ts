/**
 * One lane of scripts/test-lanes.ts: runs the file that each message names, and tells what becomes of it. Ends with its parent.
 */
import { runFiles } from './test-files.ts';
import type { Outcome } from './test-files.ts';
import type { LaneRequest, LaneWord } from './ask-lane.ts';

const tell = (word: LaneWord): void => void process.send?.(word);

process.on('message', ({ file, options }: LaneRequest) => {
  const listener = {
    say: (text: string) => {
      tell({ text });
    },
    found: (outcome: Outcome) => {
      tell({ outcome });
    },
    busy: (isBusy: boolean) => {
      tell({ isBusy });
    },
  };
  void runFiles([file], 1, options, listener).then(({ standstill }) => {
    tell({ standstill });
  });
});
