import { isObject } from '../base/json.ts';

/** What stands for a value that is left out. */
const LEFT_OUT = '(left out)';

/**
 * Of records, the fields whose text can be told. A name that is not here is left out, so that a field which comes later cannot tell
 * what it should not: environment, arguments, annotations, labels and paths of volumes may hold secrets.
 */
const TOLD = new Set([
  'is', 'id', 'name', 'namespace', 'uid', 'sandboxId', 'podSandboxId', 'imageId', 'imageRef', 'image', 'userSpecifiedImage', 'bootId',
  'runtimeHandler', 'handler', 'logPath', 'logDirectory', 'cgroupParent', 'cgroupsPath', 'chosenCgroup', 'reason', 'hostname',
  'createdAtNs', 'startedAtNs', 'finishedAtNs', 'createdAt', 'startTime', 'ips', 'net', 'ipc', 'uts', 'user', 'pid', 'digest', 'chain',
  'diffId', 'names', 'mediaType', 'version', 'containerId', 'ifName', 'netnsPath', 'network', 'cniVersion', 'type', 'what', 'since', '$int64',
]); // prettier-ignore

/** A document of ours in which numbers and truths stay, and of texts only those of {@link TOLD}: the shape of it remains to be seen. */
export function redactRecord(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => redactRecord(each, key));
  if (isObject(value)) {
    // Here the keys too are what people made up. Those of the pod come to CNI plugins as io.kubernetes.cri.pod-annotations.
    if (/annotations$|labels$/i.test(key)) return `${Object.keys(value).length} ${LEFT_OUT}`;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redactRecord(inner, name)]));
  }
  if (typeof value !== 'string' || value === '') return value;
  return TOLD.has(key) ? scrub(value) : LEFT_OUT;
}

/**
 * What in a text of programs and people looks like a secret, and what stands for it. Every repetition has an end: a text is up to some
 * megabytes long, and a word in it may be as long.
 */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // https://user:p@ssword@host
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/"']{1,1000}@/gi, `$1${LEFT_OUT}@`],
  // https://host/blob?X-Amz-Signature=x: who has such an address needs no password
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>?\\]{1,1000}\?)[^\s"'<>\\]+/gi, `$1${LEFT_OUT}`],
  // Authorization: Bearer x; Basic "x"
  [/\b(bearer|basic)(["'=:\s]{1,10})[\w+/=.~-]{6,}/gi, `$1$2${LEFT_OUT}`],
  // a JSON web token, wherever it stands
  [/(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, LEFT_OUT],
  // tokens that their own beginning tells: of GitHub, GitLab, Slack, AWS
  [/\b(gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|xox[abeprs]-[\w-]{10,}|A[KS]IA[A-Z0-9]{16}\b)/g, LEFT_OUT],
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, LEFT_OUT],
  // --password x
  [/((?<![\w-])--[\w-]{0,40}(?:passw(?:or)?d|passphrase|secret|token)[\w-]{0,40}\s{1,10})[^\s"']+/gi, `$1${LEFT_OUT}`],
];
/**
 * password=x, "registry-token": "x y", AWS_SECRET_ACCESS_KEY=x, "auth": "x". A value in quotes keeps these, so that JSON stays such; one
 * without ends at a blank, and behind a colon also where a value of JSON does.
 */
const NAMED = new RegExp(
  String.raw`(?<name>(?:(?:passw(?:or)?d|passphrase|[_-]pass\b|[_-]pwd\b|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key)[\w.-]{0,60}|\bauth)\\?["']?)` +
    String.raw`(?:(?<escaped>\s{0,10}[=:]\s{0,10}\\")(?:\\\\\\"|[^"\\]|\\[^"\\])+|(?<double>\s{0,10}[=:]\s{0,10}")(?:[^"\\\n]|\\.)+|(?<single>\s{0,10}[=:]\s{0,10}')[^'\n]+|(?<equal>\s{0,10}=\s{0,10})[^\s"'\\]+|(?<colon>\s{0,10}:\s{0,10})[^\s,;&"'[\]{}\\]+)`,
  'gi',
);

/** A text without what looks like a secret in it. */
export function scrub(text: string): string {
  const named = text.replaceAll(NAMED, `$<name>$<escaped>$<double>$<single>$<equal>$<colon>${LEFT_OUT}`);
  return PATTERNS.reduce((rest, [pattern, stand]) => rest.replaceAll(pattern, stand), named);
}

/** Of the configuration, the keys whose values are left out: what a node's owner may have put a secret into. */
const SECRET_KEYS = new Set(['defaultEnv']);

/** The configuration in force, without what may be secret. Variables keep their names. */
export function redactConfig(value: unknown, key = ''): unknown {
  if (SECRET_KEYS.has(key) && Array.isArray(value)) return value.map((each) => `${String(each).split('=')[0] ?? ''}=${LEFT_OUT}`);
  if (Array.isArray(value)) return value.map((each) => redactConfig(each));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redactConfig(inner, name)]));
  return typeof value === 'string' ? scrub(value) : value;
}
