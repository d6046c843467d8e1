import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bandwidthOf, parseRate } from '../../../src/podsandbox/bandwidth.ts';

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';

test('a rate is a quantity of bits per second, decimal, binary or with an exponent, rounded up', () => {
  const rates = {
    '10M': 10e6, '1k': 1e3, '1K': 1e3, '2Gi': 2 ** 31, '1.5M': 1.5e6, '500': 500, '1T': 1e12, '1P': 1e15, '1Ki': 1024, '1e3': 1e3,
    '12E2': 1200, '2E': 2e18, '+1M': 1e6, '1.M': 1e6, '.5k': 500, '1100m': 2,
  }; // prettier-ignore
  for (const [text, rate] of Object.entries(rates)) assert.equal(parseRate(text), rate, text);
});

test('what is no quantity is no rate', () => {
  for (const text of ['', 'M', '10MB', '-1M', '10 M', 'ten', '5ki', '1e', '1e3M', '.', '1..2', '10M\n'])
    assert.equal(parseRate(text), undefined, text);
});

test('each rate has a burst of a second, not below what a packet needs, nor above what the plugin takes', () => {
  assert.equal(bandwidthOf({}), undefined);
  assert.deepEqual(bandwidthOf({ [INGRESS]: '10M' }), { ingressRate: 10e6, ingressBurst: 10e6 });
  assert.deepEqual(bandwidthOf({ [EGRESS]: '1k' }), { egressRate: 1e3, egressBurst: 1e6 });
  assert.deepEqual(bandwidthOf({ [INGRESS]: '2M', [EGRESS]: '100G' }), {
    ingressRate: 2e6, ingressBurst: 2e6, egressRate: 100e9, egressBurst: 2 ** 32 - 1,
  }); // prettier-ignore
});

test('a rate that is none, or that nobody can mean, is refused by its annotation', () => {
  for (const text of ['', 'much', '-1M'])
    assert.throws(() => bandwidthOf({ [EGRESS]: text }), {
      kind: 'InvalidArgument',
      message: /egress-bandwidth is ".*", must be a quantity/,
    });
  for (const text of ['0', '999', '2P'])
    assert.throws(() => bandwidthOf({ [INGRESS]: text }), {
      kind: 'InvalidArgument',
      message: /ingress-bandwidth is ".*", must be from 1k to 1P/,
    });
});
