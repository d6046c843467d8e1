import { readFileSync } from 'node:fs';
import { withNamespaces } from './namespaces.ts';

/** The counters of one network interface. */
export interface InterfaceCounters {
  readonly name: string;
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDropped: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDropped: bigint;
}

/** Reads the counters of all interfaces of a network namespace but the loopback. */
export function readInterfaces(netnsPath: string): InterfaceCounters[] {
  // eslint-disable-next-line no-restricted-syntax -- between setns and its way back nothing may be left to the thread pool
  const text = withNamespaces({ net: netnsPath }, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  return parseInterfaces(text).filter(({ name }) => name !== 'lo');
}

/** Parses /proc/net/dev, proc_pid_net(5): after the name, bytes, packets, errors and so on for rx, then for tx. */
export function parseInterfaces(text: string): InterfaceCounters[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const [name, counters] = line.split(':');
      const values = (counters ?? '').trim().split(/\s+/);
      if (name === undefined || values.length < 16) return [];
      const at = (index: number): bigint => BigInt(values[index] ?? 0);
      const rx = { rxBytes: at(0), rxPackets: at(1), rxErrors: at(2), rxDropped: at(3) };
      return [{ name: name.trim(), ...rx, txBytes: at(8), txPackets: at(9), txErrors: at(10), txDropped: at(11) }];
    });
}
