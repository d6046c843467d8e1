import { gzip } from 'node:zlib';
import { promisify } from 'node:util';
import { settledWithin } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import { PART_LIMIT_BYTES, type BundleContext, type Part } from './part.ts';
import { PARTS } from './parts.ts';
import { scrub } from './redact.ts';
import { TAR_END, tarEntry } from './tar.ts';

/** What became of a part. */
export interface PartOutcome {
  readonly file: string;
  readonly bytes: number;
  /** Why it is not there, or not whole. */
  readonly fault?: string;
}

/** Most that a bundle may have before it is compressed, bytes. */
const BUNDLE_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Gathers everything that a report of a fault needs, as one tar.gz. What fails or hangs is a line in its README, and ends nothing.
 * Every text goes through {@link scrub} at last, whatever it was before.
 */
export async function makeBundle(context: BundleContext, told: (outcome: PartOutcome) => void): Promise<Buffer> {
  const now = new Date();
  const folder = `podwright-debug-${now.toISOString().replaceAll(/[:.]/g, '-')}`;
  const outcomes = [...(await gather(false, context)), ...(await gather(true, context))];
  const entries: Buffer[] = [];
  const lines: string[] = [];
  let total = 0;
  for (const { part, text, fault } of outcomes) {
    const content = Buffer.from(text);
    const fits = total + content.length <= BUNDLE_LIMIT_BYTES;
    const words = fits ? fault : `left out: the bundle has ${BUNDLE_LIMIT_BYTES} bytes already`;
    if (fits && text !== '') {
      entries.push(tarEntry(`${folder}/${part.file}`, content, now));
      total += content.length;
    }
    const outcome = { file: part.file, bytes: fits ? content.length : 0, ...(words === undefined ? {} : { fault: words }) };
    told(outcome);
    lines.push(`${part.file}: ${part.what}${words === undefined ? '' : `\n  ${words}`}`);
  }
  const readme = tarEntry(`${folder}/README`, Buffer.from(`${readmeText(context, now)}\n${scrub(lines.join('\n'))}\n`), now);
  return promisify(gzip)(Buffer.concat([readme, ...entries, TAR_END]));
}

/** All parts of one kind, side by side. */
async function gather(isLate: boolean, context: BundleContext): Promise<{ part: Part; text: string; fault?: string }[]> {
  const parts = PARTS.filter((part) => (part.isLate ?? false) === isLate);
  return Promise.all(parts.map(async (part) => ({ part, ...(await outcomeOf(part, part.read(context))) })));
}

async function outcomeOf({ limitMs, keepsEnd = false }: Part, work: Promise<string>): Promise<{ text: string; fault?: string }> {
  if (!(await settledWithin(work, limitMs))) return { text: '', fault: `not there: it took longer than ${limitMs / 1000} s` };
  try {
    const whole = Buffer.from(scrub(await work));
    if (whole.length === 0) return { text: '', fault: 'not there: it is empty' };
    if (whole.length <= PART_LIMIT_BYTES) return { text: whole.toString() };
    const part = keepsEnd ? whole.subarray(-PART_LIMIT_BYTES) : whole.subarray(0, PART_LIMIT_BYTES);
    return { text: part.toString(), fault: `only its ${keepsEnd ? 'last' : 'first'} ${PART_LIMIT_BYTES} of ${whole.length} bytes` };
  } catch (error) {
    return { text: '', fault: `not there: ${messageOf(error)}` };
  }
}

function readmeText({ version }: BundleContext, now: Date): string {
  return `What podwright ${version} knew of this node at ${now.toISOString()}, for a bug report.
Values of environments, arguments, annotations and labels, and what looked like a credential, are left out. Names of pods,
images, hosts and addresses are not: look through it before you show it to others.
`;
}
