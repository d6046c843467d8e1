/** A time in which the kubelet could not reach the daemon, milliseconds since the epoch. */
export interface Downtime {
  readonly from: number;
  readonly to: number;
}

/** Errors and warnings that the kubelet logged, sorted into what docs/kubelet.md explains and what it does not. */
export interface LogReview {
  /** How often each explained kind came. */
  readonly known: ReadonlyMap<string, number>;
  /** One example of each kind that is not explained, with their number. */
  readonly unknown: ReadonlyMap<string, { readonly count: number; readonly example: string }>;
}

/** The rows of docs/kubelet.md; a test holds the two together. */
export const KNOWN_MESSAGES: readonly { readonly about: string; readonly pattern: RegExp }[] = [
  // About us.
  { about: 'ContainerStatus: NotFound', pattern: /"ContainerStatus from runtime service failed" err="rpc error: code = NotFound/ },
  { about: 'a container that another worker has removed', pattern: /"Failed to remove container" err="failed to get container status .*: rpc error: code = NotFound desc = container [0-9a-f]{64}: not found"/ },
  { about: 'Canceled', pattern: /( from (runtime|image) service failed|"Failed to get container status)" err="rpc error: code = Canceled/ },
  { about: 'PodSandboxStats without an id', pattern: /"PodSandbox from runtime service failed" err="rpc error: code = InvalidArgument.*podSandboxID=""/ },
  { about: 'no imagefs label', pattern: /no imagefs label for configured runtime/ },
  { about: 'a program that is not there', pattern: /exec: \\+"\/no\/such\/program/ },
  { about: 'CrashLoopBackOff', pattern: /"Error syncing pod, skipping" err="failed to \\"StartContainer\\" for .* with CrashLoopBackOff/ },
  { about: 'ExecSync of a container that is ending', pattern: /"ExecSync cmd from runtime service failed" err="rpc error: code = (NotFound|FailedPrecondition)/ },
  // A kubelet's start.
  { about: 'waiting for the first PLEG relist', pattern: /"Skipping pod synchronization" err="\[?container runtime status check may not have completed yet/ },
  { about: 'no sample of cAdvisor yet', pattern: /unable to find data in memory cache/ },
  { about: 'a cgroup that went', pattern: /(watcher|manager|handler)\.go:\d+\] .*\/sys\/fs\/cgroup\/.*no such file or directory/ },
  { about: 'no checkpoint yet', pattern: /err="checkpoint is not found"/ },
  // A kubelet without an API server.
  { about: 'standalone: CSI', pattern: /csi_plugin\.go:\d+\] .*standalone/ },
  { about: 'standalone: node cache', pattern: /"failed to check if node is newer; using informer node"/ },
  // A machine without CAP_SYS_RESOURCE and without systemd.
  { about: 'rlimit on max file handles', pattern: /"Failed to set rlimit on max file handles" err="operation not permitted"/ },
  { about: 'oom score of the kubelet', pattern: /"Failed to ensure process in container with oom score"/ },
  // A busy machine.
  { about: 'short read from kmsg', pattern: /kmsgparser_linux\.go:\d+\] short read from kmsg/ },
  { about: 'Housekeeping took longer than expected', pattern: /"Housekeeping took longer than expected"/ },
]; // prettier-ignore

/** Its name where the daemon was down and the kubelet says so. */
export const DAEMON_DOWN = 'the daemon is down';
const UNREACHABLE =
  /code = Unavailable|createTransport failed to connect|runtime is down|error reading from server: EOF|"Failed to stop sandbox"|missing image stats: <nil>/;
/** How long after a start the kubelet's client may still be waiting to connect again, milliseconds (cri-client, 3 s at most). */
const RECONNECT_MS = 6000;

/** A line of klog: `E1123 18:48:53.123456   12345 file.go:123] "Message" err="..." key="..."`, in local time. */
const LINE = /^[EWF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3})\d*\s+\d+ (\S+?):\d+\] (.*)$/;

/** @param year klog leaves it out. */
export function reviewLog(text: string, downtimes: readonly Downtime[], year = new Date().getFullYear()): LogReview {
  const known = new Map<string, number>();
  const unknown = new Map<string, { count: number; example: string }>();
  for (const line of text.split('\n')) {
    const [, month, day, hour, minute, second, ms, file, message = ''] = LINE.exec(line) ?? [];
    if (file === undefined) continue;
    const at = new Date(year, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), Number(ms)).getTime();
    const isDown = downtimes.some(({ from, to }) => at >= from - 1000 && at <= to + RECONNECT_MS);
    const about = isDown && UNREACHABLE.test(line) ? DAEMON_DOWN : KNOWN_MESSAGES.find(({ pattern }) => pattern.test(line))?.about;
    if (about !== undefined) {
      known.set(about, (known.get(about) ?? 0) + 1);
      continue;
    }
    const key = `${line.slice(0, 1)} ${file}: ${/^"([^"]*)"/.exec(message)?.[1] ?? message.slice(0, 80)}`;
    unknown.set(key, { count: (unknown.get(key)?.count ?? 0) + 1, example: line });
  }
  return { known, unknown };
}

/** One line per RPC, slowest first, and one for the relist, from the kubelet's /metrics. */
export function timings(metrics: string): string[] {
  const rows: { name: string; count: number; meanMs: number; below: string }[] = [];
  for (const [, metric = '', labels = '', count = ''] of metrics.matchAll(
    /^(kubelet_runtime_operations_duration_seconds|kubelet_pleg_relist_duration_seconds)_count(\{[^}]*\})? (\S+)$/gm,
  )) {
    const operation = /operation_type="([^"]*)"/.exec(labels)?.[1];
    const own = metrics
      .split('\n')
      .filter((line) => line.startsWith(metric) && (operation === undefined || line.includes(`operation_type="${operation}"`)));
    const sum = Number(
      own
        .find((line) => line.startsWith(`${metric}_sum`))
        ?.split(' ')
        .at(-1),
    );
    const buckets = own.flatMap((line) => {
      const [, le = '', below = ''] = /_bucket\{.*le="([^"]*)"\} (\S+)$/.exec(line) ?? [];
      return le === '' ? [] : [{ le, below: Number(below) }];
    });
    const most = buckets.find(({ below }) => below >= Number(count) * 0.99)?.le ?? '+Inf';
    rows.push({ name: operation ?? 'PLEG relist', count: Number(count), meanMs: (sum / Number(count)) * 1000, below: most });
  }
  rows.sort((a, b) => b.meanMs - a.meanMs);
  return rows.map(({ name, count, meanMs, below }) => `${name}: ${count} times, mean ${meanMs.toFixed(1)} ms, 99 of 100 within ${below} s`);
}
