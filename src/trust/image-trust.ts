import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Subject } from './claim.ts';
import { evaluate } from './evaluate.ts';
import { findSignatures } from './find-signatures.ts';
import type { SignatureSource } from './find-signatures.ts';
import type { Gpg } from './gpg.ts';
import { exactName } from './image-name.ts';
import type { ImageName, ParseName } from './image-name.ts';
import { archiveRequirementsOf, needsSignatures, requirementsOf } from './policy.ts';
import type { Requirement, Transport } from './policy.ts';
import { PolicyFiles } from './policy-files.ts';
import type { PolicyFile, PolicyPlaces } from './policy-files.ts';
import { RegistriesD } from './registries-d.ts';
import type { Signature } from './signature.ts';
import type { PulledImage, VerifierPlaces } from './verifier-programs.ts';

export interface TrustPlaces extends PolicyPlaces, VerifierPlaces {
  readonly registriesD: string;
}

export interface TrustParts {
  /** Asked each time, so that a reload takes effect. */
  readonly places: () => TrustPlaces;
  readonly gpg: Gpg;
  readonly parseName: ParseName;
  /** Of the programs that are asked. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** What decides on one pull. */
export interface PullTrust {
  /** Tells two pulls of one image apart whose policies differ. */
  readonly key: string;
  /**
   * Checks an image before anything of it but its manifests is fetched.
   * @returns the signatures that were found, to be kept with the image; undefined where none were looked for.
   * @throws SignatureValidationFailed; what the source throws.
   */
  check(subject: Subject, source: SignatureSource, signal: AbortSignal): Promise<readonly Signature[] | undefined>;
}

/** An image that is here, and by what name. */
export interface PresentImage {
  readonly name: ImageName;
  /** Its manifests, never none; the signatures of one are enough. */
  readonly manifests: readonly Digest[];
  /** What was kept when it was pulled; undefined where nobody looked for any. */
  readonly signaturesOf: (manifest: Digest) => Promise<readonly Signature[] | undefined>;
}

/** Whose images this node trusts: the signature policies of containers-policy.json(5). */
export class ImageTrust {
  readonly #parts: TrustParts;
  readonly #policies: PolicyFiles;

  constructor(parts: TrustParts) {
    this.#parts = parts;
    this.#policies = new PolicyFiles(parts.places, parts.parseName);
  }

  /**
   * What decides on a pull for pods of a namespace: the namespace's policy alone, where it has one, else the node's.
   * @throws SignatureValidationFailed where the policy cannot be read.
   */
  async forPull(namespace: string): Promise<PullTrust> {
    const file = (await this.#policies.ofNamespace(namespace)) ?? (await this.#policies.ofNode());
    return { key: file?.file ?? '', check: async (subject, source, signal) => this.#check(file, subject, source, signal) };
  }

  /** Asks the node's image verifiers, where it has some. @throws SignatureValidationFailed. */
  async runVerifiers(image: PulledImage, signal: AbortSignal): Promise<void> {
    const places = this.#parts.places();
    if (places.verifierBinDir === '') return;
    const { runVerifiers } = await import('./verifier-programs.ts'); // few nodes have any
    await runVerifiers(places, this.#parts, image, signal);
  }

  /** Whether an image may come in an archive, which has no signatures. @throws SignatureValidationFailed. */
  async checkArchive(transport: Exclude<Transport, 'docker'>): Promise<void> {
    checkArchiveBy(await this.#policies.ofNode(), transport);
  }

  /** Whether a checkpoint that is no image may be used in a namespace with a policy of its own: as an archive. @throws SignatureValidationFailed. */
  async checkArchiveUse(namespace: string): Promise<void> {
    checkArchiveBy(await this.#policies.ofNamespace(namespace), 'oci-archive');
  }

  /**
   * Checks an image that is here by the policy of a namespace, where it has one of its own. Whatever is here has passed the node's.
   * @param use asked where there is such a policy
   * @throws SignatureValidationFailed; what `use` throws.
   */
  async checkUse(namespace: string, use: () => PresentImage, signal: AbortSignal): Promise<void> {
    const found = await this.#policies.ofNamespace(namespace);
    if (found === undefined) return;
    const { file, policy } = found;
    const { name, manifests, signaturesOf } = use();
    const requirements = requirementsOf(policy, name);
    const refusals: unknown[] = [];
    for (const manifestDigest of manifests) {
      const subject = { name, manifestDigest };
      try {
        await evaluate(
          this.#parts,
          { file, requirements, subject, signal },
          async () => (await signaturesOf(manifestDigest)) ?? noneKept(file, subject),
        );
        return;
      } catch (error) {
        if (kindOf(error) !== 'SignatureValidationFailed') throw error;
        refusals.push(error);
      }
    }
    throw refusals[0];
  }

  async #check(
    found: PolicyFile | undefined,
    subject: Subject,
    source: SignatureSource,
    signal: AbortSignal,
  ): Promise<readonly Signature[] | undefined> {
    const requirements = found === undefined ? [] : requirementsOf(found.policy, subject.name);
    let signatures: Promise<readonly Signature[]> | undefined;
    const fetch = async (): Promise<readonly Signature[]> => await (signatures ??= this.#find(subject, source));
    if (found !== undefined) await evaluate(this.#parts, { file: found.file, requirements, subject, signal }, fetch);
    if (needsSignatures(requirements)) return await fetch();
    if (!(await this.#policies.haveNamespaces())) return undefined;
    try {
      return await fetch();
    } catch (error) {
      if (signal.aborted) throw error;
      const words = 'the signatures of an image cannot be had; namespaces whose policy wants them cannot use it';
      this.#parts.log.warn(words, { image: `${subject.name.domain}/${subject.name.path}`, error: messageOf(error) });
      return undefined;
    }
  }

  async #find({ name, manifestDigest }: Subject, source: SignatureSource): Promise<Signature[]> {
    let registries: RegistriesD;
    try {
      registries = await RegistriesD.load(this.#parts.places().registriesD);
    } catch (error) {
      throw new DaemonError('SignatureValidationFailed', `registries.d: ${messageOf(error)}`, { cause: error });
    }
    return await findSignatures(name, manifestDigest, registries.placesOf(name), source);
  }
}

function noneKept(file: string, { name, manifestDigest }: Subject): never {
  const words = `${exactName(name) ?? name.path} is refused by ${file}: no signatures are kept of ${manifestDigest}: it was loaded, or pulled when no namespace had a policy; it must be pulled again`;
  throw new DaemonError('SignatureValidationFailed', words);
}

function checkArchiveBy(found: PolicyFile | undefined, transport: Exclude<Transport, 'docker'>): void {
  if (found === undefined) return;
  const { file, policy } = found;
  let requirements: readonly Requirement[];
  try {
    requirements = archiveRequirementsOf(policy, transport);
  } catch (error) {
    throw new DaemonError('SignatureValidationFailed', `policy ${file}: ${messageOf(error)}`, { cause: error });
  }
  for (const { type, place } of requirements) {
    if (type === 'insecureAcceptAnything') continue;
    const why = type === 'reject' ? type : `${type}: a signature must be there, an archive has none`;
    throw new DaemonError('SignatureValidationFailed', `${transport} is refused by ${file}: ${place}: ${why}`);
  }
}
