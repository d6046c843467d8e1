import type { Log } from '../base/log.ts';
import type { PluginRun } from './plugin.ts';
import type { AddressPreference } from './result.ts';

export interface NetworksOptions {
  /** Where network configurations are, e.g. /etc/cni/net.d. */
  readonly confDir: string;
  /** The same for the pods of some runtime handlers, by the handler's name; the first configuration in file name order is theirs. */
  readonly handlerConfDirs?: ReadonlyMap<string, string>;
  /** Where plugin binaries are, e.g. /opt/cni/bin; the first one that has a plugin wins. */
  readonly binDirs: readonly string[];
  /** Where attachment records are kept. It must survive a reboot: so do the addresses that plugins hand out. */
  readonly cacheDir: string;
  readonly log: Log;
  /** The default network's name; where left out, the first configuration in file name order. */
  readonly networkName?: string;
  /** Which address of a pod is its first. Default: as the plugins have it. */
  readonly addressPreference?: AddressPreference;
  /** How long a network that was ready may fail before it is said to be not ready, milliseconds. Default 0. */
  readonly statusGraceMs?: number;
  /** Most one plugin may take for ADD, milliseconds. Default 220 000: the kubelet gives up after 240 s, and should hear the words. */
  readonly addTimeoutMs?: number;
  /** Most one plugin may take for DEL, milliseconds. Default 60 000, as in CRI-O. */
  readonly delTimeoutMs?: number;
  /** Most one plugin may take for CHECK, STATUS, VERSION and GC, milliseconds. Default 10 000. */
  readonly queryTimeoutMs?: number;
  /** How often the configuration directory is read without a notice, milliseconds. Default 5000. */
  readonly rescanMs?: number;
  /** The first pause between tries of a queued detach, milliseconds, default 1000; it doubles up to 5 min. */
  readonly retryMs?: number;
  /** Takes the network namespace away that was kept for a queued detach, when that has worked. */
  readonly releaseNamespace?: (containerId: string) => Promise<void>;
  /** The most namespaces that are kept for queued detaches. Default 128. */
  readonly keptNamespaces?: number;
  /** Told of every finished plugin process, for metrics. */
  readonly observe?: (run: PluginRun) => void;
}
