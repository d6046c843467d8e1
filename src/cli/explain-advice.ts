import type { ExplainedObject, ExplainedOperation, ExplainedStep, Explanation } from '../base/explanation.ts';
import { durationText } from './explain-timeline.ts';

/** What is wrong with an object, and what to look at. */
export interface Advice {
  /** In whose words: the plugin's, the runtime's, the program's. */
  readonly words: string;
  readonly lookAt: string;
}

/** A step that takes longer than this is asked about, milliseconds. */
const LONG_MS = 5_000;

/** What to look at where a step of this name failed, or does not end. */
const OF_STEPS: Readonly<Record<string, string>> = {
  'wait for turn': 'the other operation on the same object above or below: it goes first',
  'attach network': 'the plugin below; the configuration in cni.conf_dir; `podwright check`',
  'detach network': 'the plugin below: the address stays taken until it works; `podwright status` lists releases that are tried again',
  'run CNI plugin': 'the log of this plugin or of its daemon on the node; the configuration in cni.conf_dir',
  'create by monitor': 'the words of the OCI runtime; `podwright inspect` shows the spec that it was given',
  'run OCI runtime': 'the words of the OCI runtime; a command that is not found is one that the image does not have',
  'find volumes': 'the host path of this volume: whether it is there and answers (a dead NFS or FUSE server hangs)',
  'mount root file system': 'the disk below the root directory, and the kernel log for overlayfs',
  'resolve image': 'the name and tag; `podwright image resolve REF` tells which registries are asked, in order, and why',
  'check trust': 'the signature policy (image.signature_policy) and the signatures of this image',
  'fetch layer': 'the registry or mirror and the way to it; `podwright image pulls` shows bytes and rate of each layer',
  'unpack layer': 'the disk below the root directory: free space, inodes, its speed',
  'flush image': 'the disk: it takes its time to write',
  'flush record': 'the disk: it takes its time to write',
  'write record': 'the disk below the root directory: free space, read-only',
  'ask NRI plugins': 'the plugin; `podwright status` shows its calls, failures and last error',
  'send signal': 'the program: it has not ended by its stop signal, and is killed when the grace period is over',
  'run command': 'the command: it has not ended within its timeout',
  'sweep processes': 'processes that cannot be killed: they wait in the kernel (state D), often for a file system that hangs',
  'find CDI devices': 'the spec files in cdi_spec_dirs; `podwright status` lists those that cannot be used',
  'relabel volumes': 'the volume: each of its files is labelled, which takes long for many',
};

/** Of failures, by their words, where the step alone does not tell. */
const OF_WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /executable file not found|no such file or directory.*exec|exec format error/i,
    'the command of the container: the image does not have this program, or it is for another machine',
  ],
  [
    /not found|manifest unknown|name unknown/i,
    'the name and tag of the image; `podwright image resolve REF` tells where it was looked for',
  ],
  [
    /unauthorized|denied|authentication required|forbidden/i,
    'the credentials: imagePullSecrets of the pod, and image.auth_files of the node',
  ],
  [/no space left|quota exceeded/i, 'free space: `podwright check`, `podwright image prune`'],
  [/x509|certificate/i, 'the certificate of the registry, and registry_certs_dirs'],
  [
    /connection refused|no route to host|timed? ?out|EAI_AGAIN|ENOTFOUND|lookup /i,
    'the way to the host: DNS, proxy (proxy.https), firewall',
  ],
];

/** Of ends of containers, by exit code and reason. */
const OF_ENDS: readonly (readonly [RegExp, string])[] = [
  [/OOMKilled/, 'the memory limit that the words name, and what the program needs: `podwright top`'],
  [/NodeRebooted/, 'nothing of this container: the node was rebooted'],
  [/ContainerCannotRun|^12[67] /, 'the command of the container: whether the image has it, and it may be run'],
  [/^137 /, 'who has killed it: a stop whose grace period was over, or `kill -9`'],
  [/^255 /, 'the log of the daemon: nobody saw how it ended'],
];

/** All that is wrong with an object, its containers and its pulls: what is under way first. */
export function adviceOn({ object, containers, pulls }: Explanation): Advice[] {
  const objects = [object, ...containers];
  const operations = [...objects.map(({ operations: each }) => each), pulls];
  const waiting = operations.flat().flatMap((operation) => (operation.isUnderWay ? ofWaiting(operation) : []));
  const failed = operations.flatMap((each) => lastFailures(each)).map(ofFailure);
  const ended = objects.flatMap((each) => ofEnd(each));
  const slow = operations.flat().flatMap((operation) => ofSlow(operation));
  return [...waiting, ...failed, ...ended, ...slow];
}

/** Failures that no later success of the same kind of work has made up for; of those that are alike the last. */
function lastFailures(operations: readonly ExplainedOperation[]): ExplainedOperation[] {
  return operations.filter(
    ({ error, isUnderWay, what, about }, index) =>
      error !== undefined &&
      !isUnderWay &&
      !operations.some(
        (other, at) => at > index && other.what === what && !other.isUnderWay && other.about.containerId === about.containerId,
      ),
  );
}

function ofFailure({ what, error = '', steps }: ExplainedOperation): Advice {
  const failed = deepest(steps, (step) => step.error !== undefined && step.name !== 'undo');
  const where = failed === undefined ? '' : ` at "${titleOf(failed)}"`;
  return { words: `${what} failed${where}: ${failed?.error ?? error}`, lookAt: lookAt(failed, failed?.error ?? error) };
}

function ofWaiting({ what, durationMs, steps, waits }: ExplainedOperation): Advice[] {
  if (durationMs < LONG_MS) return [];
  const waiting = deepest(steps, ({ isUnderWay }) => isUnderWay);
  const sinceMs = waiting?.durationMs ?? durationMs;
  const where = waiting === undefined ? '' : ` at "${titleOf(waiting)}"`;
  const known = waits.map(({ words }) => words).filter((words) => words !== '');
  const words = `${what} waits${where} for ${durationText(sinceMs)}${known.length === 0 ? '' : `: ${known.join('; ')}`}`;
  return [{ words, lookAt: lookAt(waiting, known.join('; ')) }];
}

/** Where most of the time went in work that went well, but took long. */
function ofSlow({ what, durationMs, steps, isUnderWay, error }: ExplainedOperation): Advice[] {
  // A command takes as long as it takes.
  if (isUnderWay || error !== undefined || durationMs < LONG_MS || what === 'exec') return [];
  const leaves = steps.filter((_, index) => !steps.some(({ parent }) => parent === index));
  const [longest] = leaves.toSorted((one, other) => other.durationMs - one.durationMs);
  // What unpacks a layer while it comes waits for it.
  const slowest = leaves.find((leaf) => leaf.name === 'fetch layer' && leaf.durationMs > 0.9 * (longest?.durationMs ?? 0)) ?? longest;
  if (slowest === undefined) return [];
  const part = Math.round((slowest.durationMs / durationMs) * 100);
  const words = `${what} took ${durationText(durationMs)}, ${part} % of it "${titleOf(slowest)}"`;
  return [{ words, lookAt: lookAt(slowest, undefined) }];
}

function ofEnd({ name, end }: ExplainedObject): Advice[] {
  if (end === undefined || (end.exitCode === 0 && end.message === '')) return [];
  const { exitCode, reason, message } = end;
  const words = `${name} ended with exit code ${exitCode}, ${reason}${message === '' ? '' : `: ${message}`}`;
  return [{ words, lookAt: OF_ENDS.find(([pattern]) => pattern.test(`${exitCode} ${reason}`))?.[1] ?? 'its log: `podwright logs`' }];
}

/** Of those that match, the one that is a part of no other that matches but of many: the last with no matching part. */
function deepest(steps: readonly ExplainedStep[], matches: (step: ExplainedStep) => boolean): ExplainedStep | undefined {
  return steps.findLast((step, index) => matches(step) && !steps.some((other) => other.parent === index && matches(other)));
}

function lookAt(step: ExplainedStep | undefined, words = ''): string {
  const byWords = OF_WORDS.find(([pattern]) => pattern.test(words))?.[1];
  const byStep = step === undefined ? undefined : OF_STEPS[step.name];
  return [byWords, byStep].filter((each) => each !== undefined).join('; ') || 'the log of the daemon, by the request id';
}

function titleOf({ name, detail }: ExplainedStep): string {
  return detail === '' ? name : `${name}: ${detail}`;
}
