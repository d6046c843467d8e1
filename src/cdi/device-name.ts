/** Names of CDI devices, `VENDOR/CLASS=NAME`: which are valid, and their parts. */

/** A name in its parts. */
export interface DeviceName {
  /** `VENDOR/CLASS` */
  readonly kind: string;
  readonly name: string;
}

/** What a qualified name must be, for refusals. */
export const QUALIFIED_NAME = 'VENDOR/CLASS=NAME, such as vendor.com/gpu=0';

/** The parts of a qualified name; undefined for any other text. */
export function parseDeviceName(text: string): DeviceName | undefined {
  const end = text.indexOf('=');
  const [kind, name] = [text.slice(0, end), text.slice(end + 1)];
  return end > 0 && isKind(kind) && isDeviceName(name) ? { kind, name } : undefined;
}

/** Whether a text is `VENDOR/CLASS`, each of ASCII letters, digits and `_-.`, from a letter to a letter or digit. */
export function isKind(text: string): boolean {
  const end = text.indexOf('/');
  const isPart = (part: string): boolean => /^[A-Za-z]([\w.-]*[A-Za-z0-9])?$/.test(part);
  return end > 0 && isPart(text.slice(0, end)) && isPart(text.slice(end + 1));
}

/** Whether a text may name a device within its kind: of ASCII letters, digits and `_-.:`, a letter or digit at both ends. */
export function isDeviceName(text: string): boolean {
  return /^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/.test(text);
}
