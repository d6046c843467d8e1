import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import { step } from '../base/steps.ts';
import { parseDeviceName, QUALIFIED_NAME } from '../cdi/device-name.ts';
import { completeNodes } from '../cdi/device-nodes.ts';
import { findDevices } from '../cdi/find-devices.ts';
import type { SpecDirectories } from '../cdi/spec-directories.ts';
import { readMounts } from '../linux/mounts.ts';
import { mergeCdiEdits, type CdiEdits } from '../ocispec/cdi-edits.ts';
import type { RuntimeFacts } from '../ocispec/input.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';

/** Annotations that name CDI devices too, CDI specification, "Kubernetes device plugins". */
const ANNOTATION = 'cdi.k8s.io/';

/**
 * The CDI devices that a request names, each once: those of its field, then those of its annotations in the order of their keys.
 * @throws DaemonError InvalidArgument for what is no name of a device.
 */
export function askedCdiDevices({ cdiDevices, annotations }: Pick<ContainerConfig, 'cdiDevices' | 'annotations'>): string[] {
  const inField = cdiDevices.map(({ name }, index) => checkName(`config.CDI_devices[${index}].name`, name));
  const keys = Object.keys(annotations).filter((key) => key.startsWith(ANNOTATION));
  const inAnnotations = keys
    .sort()
    .flatMap((key) => (annotations[key] ?? '').split(',').map((name) => checkName(`annotation ${key}`, name)));
  return [...new Set([...inField, ...inAnnotations])];
}

function checkName(field: string, name: string): string {
  if (parseDeviceName(name) !== undefined) return name;
  return fail('InvalidArgument', `create container: ${field} has ${JSON.stringify(name.slice(0, 128))}, must be ${QUALIFIED_NAME}`);
}

interface CdiRequest {
  readonly config: ContainerConfig;
  readonly sandbox: Sandbox;
  readonly runtime: RuntimeFacts;
}

/**
 * What the CDI devices of a request want done to its spec; undefined where it names none, which costs nothing.
 * @throws DaemonError InvalidArgument, NotFound or FailedPrecondition for what cannot be done, with the device and the file named.
 */
export async function planCdiDevices(directories: SpecDirectories, request: CdiRequest): Promise<CdiEdits | undefined> {
  const asked = askedCdiDevices(request.config);
  if (asked.length === 0) return undefined;
  return step('find CDI devices', async () => editsOf(directories, asked, request), asked.join(', '));
}

async function editsOf(directories: SpecDirectories, asked: readonly string[], { sandbox, runtime }: CdiRequest): Promise<CdiEdits> {
  const found = findDevices(await directories.current(), asked);
  for (const { of, edits } of found) {
    const what = `create container: ${of}`;
    if (edits.netDevices.length > 0) checkNetDevices(what, sandbox, runtime);
    if (edits.intelRdt !== undefined) await checkIntelRdt(what);
  }
  const bindsHostNodes = sandbox.record.namespaces.user !== undefined;
  const complete = found.map(async (each) => ({ ...each.edits, deviceNodes: await completeNodes(each, { bindsHostNodes }) }));
  return mergeCdiEdits(await Promise.all(complete));
}

function checkNetDevices(what: string, sandbox: Sandbox, runtime: RuntimeFacts): void {
  if (!runtime.netDevices)
    fail('FailedPrecondition', `${what} has netDevices, and the runtime handler cannot move network devices (OCI runtime spec 1.3)`);
  if (sandbox.record.namespaces.net === 'node')
    fail('InvalidArgument', `${what} has netDevices, and the pod uses the node's network namespace, must have its own`);
}

/** A runtime takes the edit without the file system too, and fails then with words that name no device. */
async function checkIntelRdt(what: string): Promise<void> {
  if ((await readMounts()).some(({ type }) => type === 'resctrl')) return;
  fail('FailedPrecondition', `${what} has intelRdt, and this node has no resctrl file system mounted`);
}
