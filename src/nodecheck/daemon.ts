import type { StatusReport } from '../admin/reports.ts';
import { findingsOf, type Finding } from './finding.ts';

/** What the running daemon says, or why it says nothing. */
export type DaemonFacts =
  | { readonly is: 'running'; readonly status: StatusReport; readonly openFilesLimit: number | undefined }
  | { readonly is: 'absent' }
  | { readonly is: 'silent'; readonly words: string };

const { ok, note, warning, error } = findingsOf('daemon');
/** Work that has been under way for so long is stuck, milliseconds. */
const STUCK_MS = 10 * 60_000;
const OPEN_FILES = 65_536;

/** @param version of the program that checks. */
export function judgeDaemon(facts: DaemonFacts, version: string, nowMs = Date.now()): Finding[] {
  if (facts.is === 'absent') return [note('no daemon runs here; what only it knows was not looked at')];
  if (facts.is === 'silent')
    return [
      error(`the daemon is there and does not answer: ${facts.words}`, {
        must: 'an answer within seconds',
        advice: 'podwright debug stacks shows where it is; podwright debug-bundle collects what a report needs.',
      }),
    ];
  const { status, openFilesLimit } = facts;
  return [
    ok(`podwright ${status.version} runs, pid ${status.pid}, since ${status.startedAt}`),
    ...versions(status, version),
    ...status.conditions.flatMap(condition),
    ...unfinished(status, nowMs),
    ...leftAside(status),
    ...(openFilesLimit !== undefined && openFilesLimit < OPEN_FILES
      ? [warning(`the daemon may open ${openFilesLimit} files`, { must: `${OPEN_FILES} or more`, advice: 'Set LimitNOFILE=1048576 in its unit.' })]
      : []),
  ]; // prettier-ignore
}

function versions(status: StatusReport, version: string): Finding[] {
  if (status.version === version) return [];
  return [
    warning(`the daemon is of version ${status.version}, this program of ${version}`, {
      must: 'the same',
      advice: 'systemctl restart podwright; containers go on.',
    }),
  ];
}

function condition({ type, ok: isOk, reason, message }: StatusReport['conditions'][number]): Finding[] {
  if (isOk) return [];
  return [
    error(`${type} is not: ${[reason, message].filter((each) => each !== '').join(': ')}`, {
      must: 'yes: the node is not ready',
      advice: type === 'NetworkReady' ? 'See "network" below.' : "See the daemon's log.",
    }),
  ];
}

function unfinished({ unfinished: all }: StatusReport, nowMs: number): Finding[] {
  const old = all.filter(({ since }) => since !== undefined && nowMs - Date.parse(since) > STUCK_MS);
  const waiting = all.filter(({ detail }) => detail !== undefined);
  return [
    ...old.map(({ what, since }) =>
      warning(`${what}: under way since ${since}`, {
        must: 'done within minutes',
        advice: 'podwright debug stacks, and docs/operations.md, "A pod hangs".',
      }),
    ),
    ...waiting.map(({ what, detail }) =>
      warning(`${what}: ${detail}`, {
        must: 'released',
        advice: 'It is tried again by itself; mend what the plugin says.',
      }),
    ),
  ];
}

function leftAside({ setAside, brokenCdiSpecs, nri, cadvisorFault }: StatusReport): Finding[] {
  return [
    ...setAside.map((file) =>
      warning(`the record ${file} could not be read and was set aside`, { advice: 'Look at it, then remove it from ROOT/bad.' }),
    ),
    ...brokenCdiSpecs.map(({ path, error: words }) =>
      warning(`${path}: ${words}: its devices are not there`, { advice: 'Mend or remove the file.' }),
    ),
    ...(nri?.listenFault === undefined ? [] : [warning(`NRI plugins cannot connect: ${nri.listenFault}`, { advice: 'Set nri.listen to a path of our own.' })]),
    ...(cadvisorFault === undefined ? [] : [warning(`cAdvisor gets no names of pods and containers: ${cadvisorFault}`, { advice: 'End what listens there, or set cadvisor.crio_compat to false; then restart podwright.' })]),
    ...(nri?.plugins ?? [])
      .filter(({ state }) => state === 'down')
      .map(({ name, lastError }) => warning(`NRI plugin ${name} is down: ${lastError ?? ''}`, { advice: "Look at the plugin's own words in the log." })),
  ]; // prettier-ignore
}
