import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusReport } from '../../../src/admin/reports.ts';
import { statusText } from '../../../src/cli/status.ts';
import { eventNames, ALL_EVENTS } from '../../../src/nri/events.ts';

const STATUS: StatusReport = {
  version: '1.0.0',
  pid: 7,
  startedAt: 'today',
  memory: { residentBytes: 1, heapBytes: 1 },
  eventLoop: { p99Ms: 1.24, longestMs: 12, standstills: 0 },
  listenPath: '/s',
  root: '/r',
  runDir: '/q',
  cgroupManager: 'systemd',
  defaultRuntime: 'runc',
  configFiles: [],
  programs: [],
  conditions: [],
  sandboxes: {},
  containers: {},
  images: 0,
  unfinished: [],
  setAside: [],
  brokenCdiSpecs: [],
};

test('the status tells of NRI plugins: which there are, how quick they are, what failed', () => {
  const common = { version: 'v0.12.0', calls: 0, failures: 0, meanMs: 0, longestMs: 0, since: 'noon' };
  const text = statusText({
    ...STATUS,
    nri: {
      listenPath: '/n',
      listenFault: 'a process listens there already',
      plugins: [
        {
          ...common,
          name: '10-policy',
          kind: 'launched',
          state: 'ready',
          pid: 12,
          events: eventNames(ALL_EVENTS),
          calls: 3,
          meanMs: 1.25,
          longestMs: 2.5,
        },
        {
          ...common,
          name: '20-late',
          kind: 'external',
          state: 'gone',
          events: ['RunPodSandbox'],
          calls: 1,
          failures: 1,
          meanMs: 2000,
          longestMs: 2000,
          lastError: 'no answer',
        },
      ],
    },
  });
  assert.deepEqual(text.split('\n').slice(-9), [
    'NRI plugins:',
    '   10-policy  launched  ready since noon  3 calls, 1.3 ms, at most 2.5 ms                  pid 12  v0.12.0  all events',
    '   20-late    external  gone since noon   1 calls, 2000.0 ms, at most 2000.0 ms  1 failed          v0.12.0  RunPodSandbox',
    '',
    'last errors of NRI plugins:',
    '   20-late  no answer',
    '',
    'NRI plugins cannot connect: a process listens there already',
    '',
  ]);
  assert.doesNotMatch(statusText({ ...STATUS, nri: { listenPath: '/n', plugins: [] } }), /NRI/);
  assert.doesNotMatch(statusText(STATUS), /NRI/);
});

test('the status tells why cAdvisor is not answered', () => {
  const cadvisorFault = '/run/crio/crio.sock: a process listens there already';
  assert.match(
    statusText({ ...STATUS, cadvisorFault }),
    new RegExp(`^cAdvisor gets no names of pods and containers: ${cadvisorFault}$`, 'm'),
  );
  assert.doesNotMatch(statusText(STATUS), /cAdvisor/);
});

test('what programs and plugins say neither ends a line nor steers the terminal', () => {
  const text = statusText({ ...STATUS, conditions: [{ type: 'NetworkReady', ok: false, reason: 'x\n\u001b[2Jy', message: '' }] });
  assert.match(text, /^NetworkReady {2}no {2}x\\u000a\\u001b\[2Jy$/m);
});

test('the status tells how late the event loop is, and when it stood still last', () => {
  assert.match(statusText(STATUS), /^event loop +late by 1\.2 ms \(p99\), 12\.0 ms at most, of late$/m);
  const lastStandstill = { what: 'umount2', startedAt: '2026-01-02T03:04:05.000Z', ownMs: 312 };
  const text = statusText({ ...STATUS, eventLoop: { p99Ms: 1, longestMs: 312, standstills: 3, lastStandstill } });
  assert.match(text, /; 3 standstills, the last 2026-01-02T03:04:05\.000Z: umount2, 312 ms$/m);
});
