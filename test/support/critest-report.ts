/** What of ginkgo's JSON report is read (onsi/ginkgo, types.Report). */
interface Report {
  readonly SpecReports: readonly SpecReport[] | null;
}

interface SpecReport {
  readonly LeafNodeType: string;
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeText: string;
  readonly State: string;
  readonly Failure?: { readonly Message?: string; readonly ForwardedPanic?: string };
  readonly CapturedGinkgoWriterOutput?: string;
}

export interface SpecOutcome {
  readonly name: string;
  /** What critest says about it; empty for one that passed. */
  readonly reason: string;
  /** What it wrote while it ran. */
  readonly output: string;
}

export interface CritestOutcome {
  readonly passed: number;
  readonly failed: readonly SpecOutcome[];
  readonly skipped: readonly SpecOutcome[];
  /** Left out by -ginkgo.focus, -ginkgo.skip or for want of -benchmark: they were never asked to run. */
  readonly notSelected: number;
}

/** Sorts the specs of a report by how they ended. A failed step before or after all specs counts as a failed spec. */
export function readReport(json: string): CritestOutcome {
  const specs = (JSON.parse(json) as Report[]).flatMap((suite) => suite.SpecReports ?? []);
  const isSpec = ({ LeafNodeType }: SpecReport): boolean => LeafNodeType === 'It';
  const skipped = specs.filter((spec) => isSpec(spec) && (spec.State === 'skipped' || spec.State === 'pending'));
  const failed = specs.filter(({ State }) => !['passed', 'skipped', 'pending', ''].includes(State));
  const isAsked = ({ Failure }: SpecReport): boolean => (Failure?.Message ?? '') !== '';
  return {
    passed: specs.filter((spec) => isSpec(spec) && spec.State === 'passed').length,
    failed: failed.map(outcome),
    skipped: skipped.filter(isAsked).map(outcome),
    notSelected: skipped.filter((spec) => !isAsked(spec)).length,
  };
}

function outcome(spec: SpecReport): SpecOutcome {
  const { ContainerHierarchyTexts, LeafNodeText, LeafNodeType, Failure, CapturedGinkgoWriterOutput = '' } = spec;
  const words = [...(ContainerHierarchyTexts ?? []), LeafNodeText].filter((text) => text !== '');
  const panic = Failure?.ForwardedPanic ?? '';
  return {
    name: words.length === 0 ? LeafNodeType : words.join(' '),
    reason: [Failure?.Message ?? '', panic].filter((text) => text !== '').join(': '),
    output: CapturedGinkgoWriterOutput,
  };
}
