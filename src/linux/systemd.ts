import { readFile } from 'node:fs/promises';
import { close } from './libc.ts';
import { AF_UNIX, makeSocket, sendTo, SOCK_DGRAM, unixAddress } from './socket-calls.ts';
import { run } from './spawn.ts';
import { sleep } from '../base/deadline.ts';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';

/** As the bus itself waits, sd_bus_call(3). */
const CALL_MS = 25_000;
const ATTACH_WAIT_MS = 25_000;
const ATTACH_POLL_MS = 10;
const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];

/** A scope that systemd is asked to make for a process that already runs: systemd.scope(5). */
export interface ScopeRequest {
  /** `crio-conmon-abc.scope`. */
  readonly name: string;
  /** `kubepods-burstable-pod1.slice`; made by systemd if needed. */
  readonly slice: string;
  readonly pid: number;
  readonly description: string;
}

/**
 * Moves a process into a transient scope of its own and waits until it is there. A failed scope of that name from before
 * is forgotten first.
 * @throws {DaemonError} Internal with systemd's words; DeadlineExceeded when the process does not arrive.
 */
export async function startScope(request: ScopeRequest, signal?: AbortSignal): Promise<void> {
  const refused = await callManager(scopeArguments(request), signal);
  if (refused !== undefined) {
    await callManager(['ResetFailedUnit', 's', request.name], signal);
    const again = await callManager(scopeArguments(request), signal);
    if (again !== undefined) throw new DaemonError('Internal', `start scope ${request.name}: ${again}`);
  }
  await arrived(request, signal);
}

/** The method call that makes a scope; systemd's D-Bus interface, org.freedesktop.systemd1(5). */
export function scopeArguments(request: ScopeRequest): string[] {
  const properties: string[][] = [
    ['Description', 's', request.description],
    ['Slice', 's', request.slice],
    ['PIDs', 'au', '1', String(request.pid)],
    // The runtime makes cgroups below it, and systemd must leave those alone.
    ['Delegate', 'b', 'true'],
    ['DefaultDependencies', 'b', 'false'],
    // Without it a scope whose process failed stays loaded and keeps its name.
    ['CollectMode', 's', 'inactive-or-failed'],
  ];
  const signature = 'ssa(sv)a(sa(sv))';
  return ['StartTransientUnit', signature, request.name, 'fail', String(properties.length), ...properties.flat(), '0'];
}

/**
 * Tells systemd to stop a scope or slice, with the processes in it, and forgets that it failed before; one that systemd does
 * not know is fine. The stop goes on when this resolves.
 */
export async function stopUnit(name: string, signal?: AbortSignal): Promise<void> {
  const refused = await callManager(['StopUnit', 'ss', name, 'replace'], signal);
  if (refused !== undefined && !/not loaded|not found|no such unit/i.test(refused)) {
    throw new DaemonError('Internal', `stop ${name}: ${refused}`);
  }
  await callManager(['ResetFailedUnit', 's', name], signal);
}

/** @returns systemd's words when it refuses. */
async function callManager(call: readonly string[], signal: AbortSignal | undefined): Promise<string | undefined> {
  const args = ['--system', '--no-pager', 'call', ...MANAGER, ...call];
  let result;
  try {
    result = await run('busctl', { args, timeoutMs: CALL_MS, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    if (error instanceof DaemonError) throw error;
    throw new DaemonError('FailedPrecondition', `call systemd: busctl cannot be run: ${messageOf(error)}`, { cause: error });
  }
  if (result.exit.code === 0) return undefined;
  return result.stderr.toString().trim() || `busctl ended with ${String(result.exit.code ?? result.exit.signal)}`;
}

/** The answer comes when the job is queued; the process moves when it runs. */
async function arrived(request: ScopeRequest, signal: AbortSignal | undefined): Promise<void> {
  const giveUpAt = performance.now() + ATTACH_WAIT_MS;
  while (!(await isIn(request.pid, request.name))) {
    if (performance.now() > giveUpAt || signal?.aborted === true) {
      throw new DaemonError('DeadlineExceeded', `start scope ${request.name}: process ${request.pid} is not in it yet`);
    }
    await sleep(ATTACH_POLL_MS, signal);
  }
}

async function isIn(pid: number, scope: string): Promise<boolean> {
  try {
    const text = await readFile(`/proc/${pid}/cgroup`, 'utf8');
    return text.split('\n').some((line) => line.endsWith(`/${scope}`) || line.includes(`/${scope}/`));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH'))
      throw new DaemonError('Internal', `start scope ${scope}: process ${pid} is gone`, { cause: error });
    throw error;
  }
}

/**
 * The cgroup path of a slice: `a-b.slice` lies in `a.slice`, so `/a.slice/a-b.slice`; `-.slice` is the root, `/`.
 * systemd.slice(5).
 * @throws {DaemonError} InvalidArgument for what is no slice name.
 */
export function sliceToCgroupPath(slice: string): string {
  if (slice === '-.slice') return '/';
  const name = slice.endsWith('.slice') ? slice.slice(0, -'.slice'.length) : '';
  const names = name.split('-');
  if (names.includes('') || name.includes('/')) {
    throw new DaemonError('InvalidArgument', `slice "${slice}": must be a name such as kubepods-burstable.slice`);
  }
  return names.map((_part, index) => `/${names.slice(0, index + 1).join('-')}.slice`).join('');
}

/**
 * Tells systemd about our state (`READY=1`, `STOPPING=1`, `STATUS=...`): sd_notify(3). Several lines may be given at once.
 * @returns false when we were not started by systemd, or it does not listen.
 */
export function sdNotify(state: string): boolean {
  const path = process.env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return false;
  const fd = makeSocket(AF_UNIX, SOCK_DGRAM);
  try {
    sendTo(fd, Buffer.from(state), unixAddress(path), path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ECONNREFUSED', 'EAGAIN')) return false;
    throw error;
  } finally {
    close(fd);
  }
}
