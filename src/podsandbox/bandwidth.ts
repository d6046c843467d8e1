import { fail } from '../base/errors.ts';
import type { Bandwidth } from '../cni/capability-args.ts';

/** Pod annotations that limit a pod's traffic, in bits per second, as CRI-O and containerd know them. */
const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';

/** As containerd: nothing can work below the least, and the most is no limit at all. */
const LEAST_RATE = 1e3;
const MOST_RATE = 1e15;

/** The least bucket, bits: a packet that is larger than the bucket is never sent. */
const LEAST_BURST = 1e6;
/** The bandwidth plugin takes 32 bits of bytes; this is containerd's value, bits. */
const MOST_BURST = 2 ** 32 - 1;

/**
 * The CNI capability arguments "bandwidth" of a pod; undefined where its annotations ask for none.
 * @throws DaemonError InvalidArgument for an annotation that is no rate: a limit that is not set would not be noticed.
 */
export function bandwidthOf(annotations: Readonly<Record<string, string>>): Bandwidth | undefined {
  const ingress = rateOf(annotations, INGRESS);
  const egress = rateOf(annotations, EGRESS);
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: burstOf(ingress) }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: burstOf(egress) }),
  };
}

/**
 * The bandwidth plugin wants a burst with each rate. The bucket is full at first, and with the peers' values (2^32 - 1 bits and
 * 2^35 - 9 bits) hundreds of megabytes pass before the limit is felt. So a pod gets what passes in one second.
 */
function burstOf(rate: number): number {
  return Math.min(Math.max(rate, LEAST_BURST), MOST_BURST);
}

function rateOf(annotations: Readonly<Record<string, string>>, name: string): number | undefined {
  const text = annotations[name];
  if (text === undefined) return undefined;
  const rate = parseRate(text);
  if (rate === undefined) {
    fail(
      'InvalidArgument',
      `run pod sandbox: annotation ${name} is ${JSON.stringify(text)}, must be a quantity of bits per second such as 10M`,
    );
  }
  if (rate < LEAST_RATE || rate > MOST_RATE) {
    fail('InvalidArgument', `run pod sandbox: annotation ${name} is ${JSON.stringify(text)}, must be from 1k to 1P bits per second`);
  }
  return rate;
}

const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60,
}; // prettier-ignore

/**
 * A resource quantity such as `10M` (kubernetes apimachinery, pkg/api/resource) in whole bits per second, rounded up; undefined
 * where the text is none, or below zero.
 */
export function parseRate(text: string): number | undefined {
  const match = /^\+?(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,3})|([numkKMGTPE]|[KMGTPE]i))?$/.exec(text);
  if (match === null) return undefined;
  const [, digits = '', exponent = '0', unit = ''] = match;
  return Math.ceil(Number(`${digits}e${exponent}`) * (UNITS[unit] ?? 1));
}
