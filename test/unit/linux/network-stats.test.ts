import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInterfaces } from '../../../src/linux/network-stats.ts';

const HEADER = 'Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n'; // prettier-ignore

test('parseInterfaces() reads the counters of each line of /proc/net/dev', () => {
  const text = `${HEADER}    lo:     840      10    0    0    0     0          0         0      840      10    0    0    0     0       0          0
  eth0:18446744073709551615   3    4    5    0     0          0         0 77      2    6    0    0     0       0          0\n`;
  assert.deepStrictEqual(parseInterfaces(text), [
    { name: 'lo', rxBytes: 840n, rxErrors: 0n, txBytes: 840n, txErrors: 0n },
    { name: 'eth0', rxBytes: 18446744073709551615n, rxErrors: 4n, txBytes: 77n, txErrors: 6n },
  ]);
});

test('a line that is cut off is left out', () => {
  assert.deepStrictEqual(parseInterfaces(`${HEADER}  eth0: 1 2 3\n\n`), []);
  assert.deepStrictEqual(parseInterfaces(''), []);
});
