import { DEVICE_MAPPING, parseDeviceMapping } from '../base/device-mapping.ts';
import { fail } from '../base/errors.ts';
import { parseUlimit, ULIMIT, type Ulimit } from '../base/ulimit.ts';
import { matchesAny } from './annotations.ts';
import type { HostFacts } from './host-facts.ts';
import type { PlannedDevice, SpecSettings } from './input.ts';

/*
 * Annotations of a pod that this daemon takes orders from, where the pod's handler allows their names (allowed_annotations):
 * those of CRI-O by their names there, old and new, and limits of our own. docs/annotations.md lists them.
 */
const DEVICES = ['devices.crio.io', 'io.kubernetes.cri-o.Devices'];
const UMASK = ['umask.crio.io', 'io.kubernetes.cri-o.umask'];
const SHM_SIZE = ['shm-size.crio.io', 'io.kubernetes.cri-o.ShmSize'];
const CGROUP_WRITABLE = ['cgroup2-mount-hierarchy-rw.crio.io', 'io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw'];
const TRY_SKIP_RELABEL = ['try-skip-volume-selinux-label.crio.io', 'io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel'];
const ULIMITS = 'ulimits.podwright.io';

type Annotations = Readonly<Record<string, string>>;

interface OrdersInput {
  readonly annotations: Annotations;
  readonly settings: SpecSettings;
  /** Begins the messages: "create container". */
  readonly doing: string;
  /** Told of an order that the handler does not allow; it is not obeyed. */
  readonly warn: (words: string) => void;
}

/** What a pod's annotations order for one of its containers. */
export interface ContainerOrders {
  readonly devices: readonly PlannedDevice[];
  readonly ulimits: readonly Ulimit[];
  readonly umask: number | undefined;
  readonly cgroupWritable: boolean;
  readonly trySkipRelabel: boolean;
}

const NO_ORDERS: ContainerOrders = { devices: [], ulimits: [], umask: undefined, cgroupWritable: false, trySkipRelabel: false };

/** @throws DaemonError InvalidArgument for a value that cannot be obeyed, FailedPrecondition for what this node cannot do. */
export function containerOrders(
  input: OrdersInput & { readonly name: string; readonly host: Pick<HostFacts, 'cgroupVersion'> },
): ContainerOrders {
  const { annotations, name } = input;
  if (Object.keys(annotations).length === 0) return NO_ORDERS;
  const devices = orderOf(input, DEVICES);
  const umask = orderOf(input, UMASK);
  const writable = orderOf(input, CGROUP_WRITABLE);
  const ulimits = orderOf(input, [`${ULIMITS}/${name}`, ULIMITS], ULIMITS);
  return {
    devices: devices === undefined ? [] : listed(devices.value).map((text) => device(input, devices.name, text)),
    ulimits:
      ulimits === undefined ? [] : listed(ulimits.value).map((text) => parseUlimit(text) ?? refuse(input, ulimits.name, text, ULIMIT)),
    umask: umask && readUmask(input, umask),
    cgroupWritable: writable !== undefined && isWritable(input, writable, input.host),
    trySkipRelabel: orderOf(input, TRY_SKIP_RELABEL)?.value === 'true',
  };
}

/** The size of the pod's /dev/shm that its annotations order, bytes. @throws DaemonError InvalidArgument for what is no size. */
export function shmSizeOrder(input: OrdersInput): number | undefined {
  const order = orderOf(input, SHM_SIZE);
  if (order === undefined) return undefined;
  const bytes = parseQuantity(order.value);
  return bytes !== undefined && bytes >= 4096 && Number.isSafeInteger(bytes)
    ? bytes
    : refuse(input, order.name, order.value, 'a size such as "256Mi", at least 4096 bytes');
}

interface Order {
  readonly name: string;
  readonly value: string;
}

/** The first of these annotations that the pod has; none where the handler does not allow its name, or `gate`. */
function orderOf({ annotations, settings, warn }: OrdersInput, names: readonly string[], gate?: string): Order | undefined {
  const name = names.find((each) => Object.hasOwn(annotations, each));
  if (name === undefined) return undefined;
  if (matchesAny(gate ?? name, settings.handler.allowedAnnotations)) return { name, value: annotations[name] ?? '' };
  warn(`the annotation ${name} of the pod is not obeyed: allowed_annotations of its runtime handler does not have it`);
  return undefined;
}

function listed(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function device(input: OrdersInput, name: string, text: string): PlannedDevice {
  const planned = parseDeviceMapping(text) ?? refuse(input, name, text, DEVICE_MAPPING);
  if (input.settings.allowedDevices.includes(planned.hostPath)) return planned;
  return refuse(input, name, text, `one of allowed_devices: ${input.settings.allowedDevices.join(', ')}`);
}

function readUmask(input: OrdersInput, { name, value }: Order): number {
  return /^[0-7]{1,4}$/.test(value) ? Number.parseInt(value, 8) & 0o777 : refuse(input, name, value, 'one to four octal digits');
}

function isWritable(input: OrdersInput, { name, value }: Order, { cgroupVersion }: Pick<HostFacts, 'cgroupVersion'>): boolean {
  if (value !== 'true') return false;
  if (cgroupVersion === 'v2') return true;
  return fail('FailedPrecondition', `${input.doing}: annotation ${name} is "true", but the cgroups of this node are v1`);
}

const QUANTITY_UNITS = ['k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'Ti'];

/** A size as Kubernetes writes it: "64Mi", "1G", "1.5Gi", "67108864". */
function parseQuantity(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  const power = (QUANTITY_UNITS.indexOf(unit) % 4) + 1;
  const factor = unit === '' ? 1 : (unit.endsWith('i') ? 1024 : 1000) ** power;
  return Math.ceil(Number(number) * factor);
}

const SHOWN_CHARACTERS = 64;

function refuse({ doing }: OrdersInput, name: string, value: string, must: string): never {
  const shown = JSON.stringify(value.slice(0, SHOWN_CHARACTERS));
  return fail('InvalidArgument', `${doing}: annotation ${name} of the pod has ${shown}, must be ${must}`);
}
