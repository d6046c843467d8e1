/** One lane of scripts/test-lanes.ts: runs the file that each message names, and answers with what became of it. Ends with its parent. */
import { runFiles } from './test-files.ts';
import type { LaneAnswer, LaneRequest } from './test-lanes.ts';

process.on('message', ({ file, options }: LaneRequest) => {
  let text = '';
  const say = (part: string): void => {
    text += part;
  };
  void runFiles([file], 1, options, say).then((result) => process.send?.({ text, result } satisfies LaneAnswer));
});
