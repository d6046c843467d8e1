import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilitySets } from '../../../src/ocispec/capabilities.ts';

const AVAILABLE = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN'];

interface Lists {
  readonly add?: string[];
  readonly drop?: string[];
  readonly ambient?: string[];
}

function sets({ add = [], drop = [], ambient = [] }: Lists, privileged = false) {
  return capabilitySets({
    request: { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: ambient },
    privileged,
    defaults: ['CAP_KILL', 'CAP_CHOWN', 'CAP_SETUID'],
    available: AVAILABLE,
  });
}

const effective = (lists: Lists): readonly string[] => sets(lists).effective;

test('capabilitySets() without a wish is the default list, less what the daemon lacks', () => {
  const held = ['CAP_CHOWN', 'CAP_KILL'];

  assert.deepStrictEqual(sets({}), { bounding: held, effective: held, permitted: held, inheritable: [], ambient: [] });
});

test('capabilitySets() adds and drops by any spelling', () => {
  assert.deepStrictEqual(
    [
      effective({ add: ['net_raw', 'CAP_NET_ADMIN'], drop: ['Chown'] }),
      effective({ add: ['all'], drop: ['CAP_KILL', 'NET_RAW'] }),
      effective({ drop: ['ALL'], add: ['KILL'] }),
      effective({ drop: ['ALL'] }),
      effective({ add: ['ALL'] }),
      effective({ add: ['ALL'], drop: ['ALL'] }),
      effective({ add: ['KILL'], drop: ['KILL'] }),
    ],
    [
      ['CAP_KILL', 'CAP_NET_ADMIN', 'CAP_NET_RAW'],
      ['CAP_CHOWN', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN'],
      ['CAP_KILL'],
      [],
      AVAILABLE,
      [],
      ['CAP_CHOWN'],
    ],
  );
});

test('capabilitySets() puts ambient ones into every set', () => {
  const held = ['CAP_KILL', 'CAP_NET_RAW'];

  assert.deepStrictEqual(sets({ drop: ['CHOWN'], ambient: ['NET_RAW'] }), {
    bounding: held,
    effective: held,
    permitted: held,
    inheritable: ['CAP_NET_RAW'],
    ambient: ['CAP_NET_RAW'],
  });
  assert.deepStrictEqual(sets({ ambient: ['NET_RAW'], drop: ['NET_RAW'] }).ambient, []);
});

test('capabilitySets() of a privileged container is all the daemon has', () => {
  assert.deepStrictEqual(sets({ drop: ['ALL'] }, true).effective, AVAILABLE);
});

test('capabilitySets() refuses what is no capability, and what the daemon does not have', () => {
  assert.throws(() => sets({ add: ['FLY'] }), { kind: 'InvalidArgument', message: /"FLY" is no capability/ });
  assert.throws(() => sets({ drop: ['CAP_'] }), { kind: 'InvalidArgument' });
  assert.throws(() => sets({ add: ['SYS_RESOURCE'] }), { kind: 'FailedPrecondition', message: /CAP_SYS_RESOURCE/ });
  assert.doesNotThrow(() => sets({ drop: ['SYS_RESOURCE'] }));
});
