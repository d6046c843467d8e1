import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';
import type { OciProcess } from '../../../src/ocispec/oci-types.ts';
import { readOciProcess } from '../../../src/ocispec/read-process.ts';
import { specFromJson, specToJson } from '../../../src/ocispec/spec-json.ts';

/** Every field that there is. */
const WHOLE: Required<OciProcess> = {
  terminal: true,
  consoleSize: { height: 24, width: 80 },
  user: { uid: 1000, gid: 0, additionalGids: [5, 6] },
  args: ['sh', '-c', 'true'],
  env: ['PATH=/bin', 'EMPTY='],
  cwd: '/',
  capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'], inheritable: [], ambient: [] },
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 2n ** 64n - 1n }],
  noNewPrivileges: true,
  oomScoreAdj: -997,
  apparmorProfile: 'podwright-default',
  selinuxLabel: 'system_u:system_r:container_t:s0',
  scheduler: {
    policy: 'SCHED_DEADLINE',
    nice: -5,
    priority: 1,
    flags: ['SCHED_FLAG_RECLAIM'],
    runtime: 10,
    deadline: 20,
    period: 2n ** 63n,
  },
  ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
};

test('readOciProcess() reads what was written of a process, with every field', () => {
  const { consoleSize: _size, apparmorProfile: _profile, selinuxLabel: _label, scheduler: _scheduler, ioPriority: _io, ...least } = WHOLE;
  for (const process of [WHOLE, least, { ...least, scheduler: { policy: 'SCHED_IDLE' } }]) {
    const read = readOciProcess(new Field(specFromJson(specToJson(process)), ''));
    assert.deepStrictEqual(read, process);
  }
});

const WRONG: readonly [change: object, words: string][] = [
  [{ user: { ...WHOLE.user, uid: '0' } }, 'user.uid: must be a whole number from 0, is "0"'],
  [{ user: { ...WHOLE.user, additionalGids: [1, -1] } }, 'user.additionalGids[1]: must be a whole number from 0, is -1'],
  [{ user: undefined }, 'user: must be an object, is missing'],
  [{ capabilities: { ...WHOLE.capabilities, ambient: undefined } }, 'capabilities.ambient: must be a list, is missing'],
  [{ capabilities: { ...WHOLE.capabilities, bounding: 'all' } }, 'capabilities.bounding: must be a list, is "all"'],
  [{ rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1 }] }, 'rlimits[0].hard: must be a whole number from 0, is missing'],
  [{ noNewPrivileges: undefined }, 'noNewPrivileges: must be true or false, is missing'],
  [{ noNewPrivileges: 'false' }, 'noNewPrivileges: must be true or false, is "false"'],
  [{ apparmorProfile: 5 }, 'apparmorProfile: must be text, is 5'],
  [{ env: ['A=1', null] }, 'env[1]: must be text, is null'],
  [{ consoleSize: { height: 24 } }, 'consoleSize.width: must be a whole number from 0, is missing'],
  [{ scheduler: { nice: 1 } }, 'scheduler.policy: must be text, is missing'],
  [{ ioPriority: { class: 'IOPRIO_CLASS_BE' } }, 'ioPriority.priority: must be a number, is missing'],
  [{ cwd: null }, 'cwd: must be text, is null'],
];

test('readOciProcess() refuses a process that lacks a limit or has a wrong one, and names the field', () => {
  for (const [change, message] of WRONG) {
    const text = specToJson({ ...WHOLE, ...change });
    assert.throws(() => readOciProcess(new Field(specFromJson(text), '')), { kind: 'InvalidArgument', message });
  }
});
