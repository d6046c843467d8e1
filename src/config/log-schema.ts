import { duration, oneOf, size } from './kinds.ts';
import { key, section } from './schema-nodes.ts';

/** Section `log`. */
export const logSection = section("The daemon's own log, on standard error.", {
  level: key(oneOf('debug', 'info', 'warn', 'error'), 'info', 'The least that is logged.', {
    reloadable: true,
    flag: { usage: '--log-level <LEVEL>' },
  }),
  format: key(oneOf('text', 'json'), 'text', 'One line of text or one JSON object for each event.', {
    flag: { usage: '--log-format <FORMAT>' },
  }),
  slowProgramMs: key(
    duration(0),
    10_000,
    'A program that takes longer (an OCI runtime, a CNI plugin, a command in a container without a timeout) is logged once with what it waits ' +
      'for; a command with a timeout when that is over. "0s": none is.',
    { reloadable: true },
  ),
});

const MIB = 1024 * 1024;

/** Section `history`. */
export const historySection = section('What was done of late, in ROOT/history, for podwright explain.', {
  maxSizeBytes: key(
    size(MIB, 64 * MIB),
    16 * MIB,
    'Most that it takes, in two files: where the newer one is half of this, it takes the place of the older one. 16MiB are some ten thousand operations.',
  ),
});
