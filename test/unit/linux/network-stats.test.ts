import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInterfaces } from '../../../src/linux/network-stats.ts';

const HEADER = 'Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n'; // prettier-ignore

test('parseInterfaces() reads the counters of each line of /proc/net/dev', () => {
  const text = `${HEADER}    lo:     840      10    0    0    0     0          0         0      840      10    0    0    0     0       0          0
  eth0:18446744073709551615   3    4    5    0     0          0         0 77      2    6    1    0     0       0          0\n`;
  assert.deepStrictEqual(parseInterfaces(text), [
    { name: 'lo', rxBytes: 840n, rxPackets: 10n, rxErrors: 0n, rxDropped: 0n, txBytes: 840n, txPackets: 10n, txErrors: 0n, txDropped: 0n },
    {
      name: 'eth0',
      rxBytes: 18446744073709551615n,
      rxPackets: 3n,
      rxErrors: 4n,
      rxDropped: 5n,
      txBytes: 77n,
      txPackets: 2n,
      txErrors: 6n,
      txDropped: 1n,
    },
  ]);
});

test('a line that is cut off is left out', () => {
  assert.deepStrictEqual(parseInterfaces(`${HEADER}  eth0: 1 2 3\n\n`), []);
  assert.deepStrictEqual(parseInterfaces(''), []);
});
