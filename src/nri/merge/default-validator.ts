import { Field, SecurityProfileProfileType } from '../../../api/nri/enums.ts';
import type { PodSandbox, ValidateContainerAdjustmentRequest } from '../../../api/nri/messages.ts';
import { messageOf } from '../../base/errors.ts';
import { LONGEST_REQUIRED_PLUGINS, shortened } from '../limits.ts';
import type { DefaultValidatorSettings } from '../settings.ts';

/** With it a pod names more plugins that must have seen its containers, as a YAML list. pkg/plugin/annotations.go of the module. */
const REQUIRED_PLUGINS_ANNOTATION = 'required-plugins.noderesource.dev';

/** As strconv.ParseBool of Go. */
const TRUE: readonly string[] = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

type Request = ValidateContainerAdjustmentRequest;
type Check = (settings: DefaultValidatorSettings, request: Request) => string | undefined | Promise<string | undefined>;

/** In the module's order: the first refusal counts. */
const CHECKS: readonly Check[] = [checkHooks, checkSeccomp, checkNamespaces, checkRequiredPlugins, checkSysctls];

/**
 * The validator that the module brings (plugins/default-validator): why a container must not be created with the adjustments that
 * plugins want, or undefined where it may be.
 */
export function defaultValidator(settings: DefaultValidatorSettings): (request: Request) => Promise<string | undefined> {
  return async (request) => {
    if (!settings.enable) return undefined;
    for (const check of CHECKS) {
      const reason = await check(settings, request);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

function checkHooks(settings: DefaultValidatorSettings, request: Request): string | undefined {
  const owners = simpleOwner(request, Field.OciHooks);
  if (!settings.rejectOciHookAdjustment || owners === undefined) return undefined;
  return `OCI hooks may not be added, which ${listed('plugin', owners.split(','))} did`;
}

function checkSeccomp(settings: DefaultValidatorSettings, request: Request): string | undefined {
  const owner = simpleOwner(request, Field.SeccompPolicy);
  const profile = request.container?.linux?.seccompProfile;
  if (owner === undefined) return undefined;
  const { RUNTIME_DEFAULT, UNCONFINED, LOCALHOST } = SecurityProfileProfileType;
  const rules: readonly (readonly [number, boolean, string])[] = [
    [RUNTIME_DEFAULT, settings.rejectRuntimeDefaultSeccompAdjustment, 'RuntimeDefault'],
    [UNCONFINED, settings.rejectUnconfinedSeccompAdjustment, 'Unconfined'],
    [LOCALHOST, settings.rejectCustomSeccompAdjustment, 'Localhost'],
  ];
  const rule = rules.find(([type]) => type === (profile?.profileType ?? UNCONFINED));
  if (rule?.[1] !== true) return undefined;
  return `the seccomp policy of a container whose profile is ${rule[2]} may not be changed, which plugin "${owner}" did`;
}

function checkNamespaces(settings: DefaultValidatorSettings, request: Request): string | undefined {
  const owners = Object.entries(entryOwners(request, Field.Namespace) ?? {});
  if (!settings.rejectNamespaceAdjustment || owners.length === 0) return undefined;
  const did = owners.map(([type, plugin]) => `plugin "${plugin}" did (${type})`);
  return `namespaces may not be changed, which ${did.join(', ')}`;
}

function checkSysctls(settings: DefaultValidatorSettings, request: Request): string | undefined {
  if (!settings.rejectSysctlAdjustment) return undefined;
  const owners = entryOwners(request, Field.Sysctl);
  const did = Object.keys(request.adjust?.linux?.sysctl ?? {}).flatMap((name) => ownEntry(owners, name) ?? []);
  return did.length === 0 ? undefined : `sysctls may not be changed, which ${listed('plugin', did)} did`;
}

async function checkRequiredPlugins(settings: DefaultValidatorSettings, request: Request): Promise<string | undefined> {
  const container = request.container?.name ?? '';
  const tolerate = settings.tolerateMissingPluginsAnnotation;
  const tolerated = tolerate === '' ? undefined : effectiveAnnotation(request.pod, tolerate, container);
  if (tolerated !== undefined) {
    if (TRUE.includes(tolerated)) return undefined;
    if (!FALSE.includes(tolerated)) return `annotation ${tolerate} is ${shortened(JSON.stringify(tolerated))}, must be true or false`;
  }
  const value = effectiveAnnotation(request.pod, REQUIRED_PLUGINS_ANNOTATION, container);
  let annotated: string[];
  try {
    annotated = value === undefined ? [] : await parseNames(value);
  } catch (error) {
    return `annotation ${REQUIRED_PLUGINS_ANNOTATION} is ${shortened(JSON.stringify(value))}, must be a YAML list of names: ${messageOf(error).split('\n', 1).join('')}`;
  }
  const present = new Set(request.plugins.flatMap(({ name, index }) => [name, `${index}-${name}`]));
  const missing = [...settings.requiredPlugins, ...annotated].filter((name) => !present.has(name));
  if (missing.length === 0) return undefined;
  return `required ${listed('plugin', missing)} ${missing.length === 1 ? 'is' : 'are'} not there`;
}

/** All scalars are names as they are written, whatever YAML takes them for; so does Go's reader where it reads into strings. */
async function parseNames(text: string): Promise<string[]> {
  if (text.length > LONGEST_REQUIRED_PLUGINS)
    throw new Error(`it has ${text.length} characters, must have ${LONGEST_REQUIRED_PLUGINS} at most`);
  const { FAILSAFE_SCHEMA, loadAll } = await import('js-yaml'); // for pods that have the annotation
  const names: unknown = loadAll(text, { schema: FAILSAFE_SCHEMA })[0];
  if (names === undefined) return [];
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) throw new Error('it is none');
  return names;
}

/** The closest one counts: the container's, then the pod's. */
function effectiveAnnotation(pod: PodSandbox | undefined, key: string, container: string): string | undefined {
  const keys = [`${key}/container.${container}`, `${key}/pod`, key];
  return keys.map((one) => ownEntry(pod?.annotations, one)).find((value) => value !== undefined);
}

function simpleOwner({ container, owners }: Request, field: Field): string | undefined {
  return ownEntry(ownEntry(owners?.owners, container?.id ?? '')?.simple, String(field));
}

function entryOwners({ container, owners }: Request, field: Field): Record<string, string> | undefined {
  return ownEntry(ownEntry(owners?.owners, container?.id ?? '')?.compound, String(field))?.owners;
}

function ownEntry<T>(entries: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return entries !== undefined && Object.hasOwn(entries, key) ? entries[key] : undefined;
}

function listed(noun: string, names: readonly string[]): string {
  const distinct = [...new Set(names)];
  const quoted = shortened(distinct.map((name) => JSON.stringify(name)).join(', '));
  return distinct.length === 1 ? `${noun} ${quoted}` : `${noun}s ${quoted}`;
}
