import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field } from '../../../src/base/field.ts';
import { readAnswer, readFeatures, readState, readSyncMessage } from '../../../src/ociruntime/answers.ts';
import { NO_FEATURES } from '../../../src/ociruntime/runtime-handlers.ts';

const TAKEN: readonly [read: (document: Field) => object, answer: object, value: object][] = [
  [readState, { ociVersion: '1.0.2', id: 'c', pid: 7, status: 'running', bundle: '/b' }, { status: 'running', pid: 7 }],
  [readState, { pid: 0, status: 'stopped' }, { status: 'stopped', pid: 0 }],
  [readState, { status: 'stopped' }, { status: 'stopped', pid: 0 }],
  [readFeatures, {}, NO_FEATURES],
  [readFeatures, { mountOptions: null, linux: null }, NO_FEATURES],
  [readFeatures, { mountOptions: ['ro'], linux: { mountExtensions: { idmap: {} } } }, NO_FEATURES],
  [
    readFeatures,
    { mountOptions: ['ro', 'rro'], linux: { namespaces: ['pid', 'user'], mountExtensions: { idmap: { enabled: true } } } },
    { ...NO_FEATURES, recursiveReadOnlyMounts: true, idmapMounts: true, userNamespace: true },
  ],
  [readFeatures, { linux: { netDevices: { enabled: true } } }, { ...NO_FEATURES, netDevices: true }],
  [
    readFeatures,
    { annotations: { 'org.opencontainers.runc.checkpoint.enabled': 'true' } },
    { ...NO_FEATURES, checkpoints: true, leavesNothing: true },
  ],
  [readFeatures, { annotations: { 'org.opencontainers.runc.checkpoint.enabled': 'false' } }, { ...NO_FEATURES, leavesNothing: true }],
  [readFeatures, { annotations: 'none' }, NO_FEATURES],
  [readFeatures, { ociVersionMax: '1.0.2-dev', linux: { intelRdt: { enabled: true }, memoryPolicy: null } }, NO_FEATURES],
  [readFeatures, { ociVersionMax: '1.1.0+dev' }, { ...NO_FEATURES, scheduling: true }],
  [readFeatures, { ociVersionMax: '2.0' }, { ...NO_FEATURES, scheduling: true }],
  [readFeatures, { ociVersionMax: '1.2.0', annotations: { 'org.opencontainers.runc.version': '1.1.15+ds1' } }, NO_FEATURES],
  [
    readFeatures,
    { ociVersionMax: '1.2.0', annotations: { 'org.opencontainers.runc.version': '1.2.0' } },
    { ...NO_FEATURES, scheduling: true },
  ],
  [
    readFeatures,
    { ociVersionMax: '1.2.0', annotations: { 'org.opencontainers.runc.version': 'unknown' } },
    { ...NO_FEATURES, scheduling: true },
  ],
  [readFeatures, { linux: { namespaces: ['time'] } }, { ...NO_FEATURES, timeNamespace: true }],
  [
    readFeatures,
    { linux: { intelRdt: { schemata: true, monitoring: true }, memoryPolicy: { modes: ['MPOL_BIND'], flags: ['MPOL_F_STATIC_NODES'] } } },
    { ...NO_FEATURES, rdtSchemata: true, rdtMonitoring: true, memoryPolicy: ['MPOL_BIND', 'MPOL_F_STATIC_NODES'] },
  ],
  [readSyncMessage, { data: 7 }, { pid: 7, message: '' }],
  [readSyncMessage, { pid: 7 }, { pid: 7, message: '' }],
  [readSyncMessage, { data: -1, message: 'no' }, { pid: -1, message: 'no' }],
  [readSyncMessage, {}, { pid: -1, message: '' }],
];

test('an answer is read by what it must have; the rest may be there or not', () => {
  for (const [read, answer, value] of TAKEN) assert.deepStrictEqual(readAnswer('x', JSON.stringify(answer), read), value);
});

const REFUSED: readonly [read: (document: Field) => object, text: string, words: string | RegExp][] = [
  [readState, '', /^x: must be JSON: /],
  [readState, 'time="x" level=warning', /^x: must be JSON: /],
  [readState, '[]', 'x: must be an object, is an empty list'],
  [readState, '{"pid": 7}', 'x: status: must be one of creating, created, running, stopped, paused, is missing'],
  [readState, '{"status": "gone"}', 'x: status: must be one of creating, created, running, stopped, paused, is "gone"'],
  [readState, '{"status": "running", "pid": "7"}', 'x: pid: must be a process id, is "7"'],
  [readState, '{"status": "running", "pid": -7}', 'x: pid: must be a process id, is -7'],
  [readFeatures, '"rro"', 'x: must be an object, is "rro"'],
  [readFeatures, '{"mountOptions": "rro"}', 'x: mountOptions: must be a list, is "rro"'],
  [readFeatures, '{"mountOptions": ["ro", 5]}', 'x: mountOptions[1]: must be text, is 5'],
  [readFeatures, '{"linux": {"mountExtensions": {"idmap": {"enabled": "no"}}}}', 'x: linux.mountExtensions.idmap.enabled: must be true or false, is "no"'], // prettier-ignore
  [readSyncMessage, '{"data": "7"}', 'x: data: must be a number, is "7"'],
  [readSyncMessage, '{"data": -1, "message": {}}', 'x: message: must be text, is an object'],
  [readSyncMessage, '7', 'x: must be an object, is 7'],
];

test('a wrong answer is the fault of who has answered, who is named with the field', () => {
  for (const [read, text, message] of REFUSED) assert.throws(() => readAnswer('x', text, read), { kind: 'Internal', message });
});
