import { BadSignature } from '../signature.ts';
import { ALTERNATIVE_NAMES } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { isSignedBy } from './certificate-signature.ts';

/** Extended key usages. RFC 5280, 4.2.1.12 */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ANY_PURPOSE = '2.5.29.37.0';
/** Most signatures of certificates that are looked at for one chain, as Go's crypto/x509 has it. */
const MAX_CHECKS = 100;

export interface ChainRules {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  /** When all certificates of the chain must hold. */
  readonly at: Date;
  /** Critical extensions that may be in the leaf though they are not known. */
  readonly checkedElsewhere?: readonly string[];
}

/**
 * Checks that a certificate may sign code, and that a chain leads from it to one of the roots: RFC 5280, section 6, as Go's crypto/x509 reads it, by
 * which containers/image goes. So a chain is of any order, a certificate without extended key usages is for all of them, and the usages of
 * authorities narrow those of what they have signed.
 * @throws BadSignature that says where the way ends.
 */
export async function checkChain(leaf: Certificate, rules: ChainRules): Promise<void> {
  const why = whyNotValid(leaf, rules, rules.checkedElsewhere);
  if (why !== undefined) throw new BadSignature(`its certificate ${why}`);
  if (rules.roots.some(({ der }) => der.equals(leaf.der))) {
    const wrong = whyNotChain([leaf]);
    if (wrong !== undefined) throw new BadSignature(`its certificate ${wrong}`);
    return;
  }
  const search = new Search(rules);
  if (await search.leadsOn([leaf])) return;
  throw new BadSignature(`its certificate leads to no authority of the policy${search.hint}`);
}

/** The way from a certificate to a root, the roots first at each step. */
class Search {
  readonly #rules: ChainRules;
  #checks = 0;
  #hint: string | undefined;

  constructor(rules: ChainRules) {
    this.#rules = rules;
  }

  get hint(): string {
    return this.#hint === undefined ? '' : `: ${this.#hint}`;
  }

  async leadsOn(chain: readonly Certificate[]): Promise<boolean> {
    const { roots, intermediates } = this.#rules;
    for (const [kind, candidates] of [
      ['root', roots],
      ['intermediate', intermediates],
    ] as const)
      // prettier-ignore
      for (const candidate of candidates) if (await this.#isNext(chain, kind, candidate)) return true;
    return false;
  }

  async #isNext(chain: readonly Certificate[], kind: 'root' | 'intermediate', candidate: Certificate): Promise<boolean> {
    const child = chain.at(-1) as Certificate;
    if (!child.issuer.equals(candidate.subject)) return false;
    this.#checks += 1;
    if (this.#checks > MAX_CHECKS) return this.#no(`more than ${MAX_CHECKS} signatures would have to be looked at`);
    if (candidate.publicKey === undefined || chain.some((one) => isSame(one, candidate))) return false;
    if (!isAuthority(candidate, kind)) return this.#no('one that is no authority has signed it');
    if (!(await isSignedBy(child, candidate.publicKey))) return this.#no('the signature of a certificate does not hold');
    const why = whyNotValid(candidate, this.#rules) ?? whyTooLong(candidate, chain.length - 1);
    if (why !== undefined) return this.#no(`an authority's certificate ${why}`);
    const longer = [...chain, candidate];
    if (kind === 'intermediate') return await this.leadsOn(longer);
    const wrong = whyNotChain(longer);
    return wrong === undefined || this.#no(`a certificate ${wrong}`);
  }

  #no(hint: string): false {
    this.#hint ??= hint;
    return false;
  }
}

/** An authority of version 1, which cannot say that it is one, counts where the policy itself names it. */
function isAuthority({ authority, version, mayCertify }: Certificate, kind: 'root' | 'intermediate'): boolean {
  const says = authority === undefined ? version < 3 && kind === 'root' : authority.is;
  return says && mayCertify;
}

function isSame(one: Certificate, other: Certificate): boolean {
  const [names, others] = [one, other].map(({ extensions }) => extensions.get(ALTERNATIVE_NAMES) ?? Buffer.alloc(0));
  return one.subject.equals(other.subject) && one.keyInfo.equals(other.keyInfo) && names?.equals(others ?? Buffer.alloc(0)) === true;
}

function whyNotValid(
  { unknownCritical, notBefore, notAfter }: Certificate,
  { at }: ChainRules,
  checkedElsewhere: readonly string[] = [],
): string | undefined {
  const unknown = unknownCritical.find((oid) => !checkedElsewhere.includes(oid));
  if (unknown !== undefined) return `has a critical extension that is not known, ${unknown}`;
  if (at < notBefore) return `is valid from ${notBefore.toISOString()} on, it counts at ${at.toISOString()}`;
  if (at > notAfter) return `was valid until ${notAfter.toISOString()}, it counts at ${at.toISOString()}`;
  return undefined;
}

function whyTooLong({ authority }: Certificate, between: number): string | undefined {
  const most = authority?.pathLength;
  return most !== undefined && between > most ? `allows ${most} authorities below it, there are ${between}` : undefined;
}

/** @param chain from the leaf to the root. */
function whyNotChain(chain: readonly Certificate[]): string | undefined {
  const narrowed = chain.flatMap(({ narrowing }, index) =>
    // What constrains policies binds what is below, and a root's is not asked. RFC 5280, 6.1
    index === chain.length - 1 ? narrowing.filter((name) => name === 'name constraints') : narrowing,
  );
  if (narrowed[0] !== undefined) return `has ${narrowed[0]}, which are not supported`;
  const unfit = chain.find(({ purposes }) => purposes.length > 0 && !purposes.includes(CODE_SIGNING) && !purposes.includes(ANY_PURPOSE));
  return unfit === undefined
    ? undefined
    : `is not for signing code: its extended key usages are ${unfit.purposes.join(', ').slice(0, 200)}`;
}
