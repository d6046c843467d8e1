/** A device by a text of three parts: where the node has it, where the container gets it, and what it may do with it. */
export interface DeviceMapping {
  /** Below /dev. */
  readonly hostPath: string;
  readonly path: string;
  /** Of the letters `rwm`. */
  readonly access: string;
}

/** What {@link parseDeviceMapping} takes, for messages. */
export const DEVICE_MAPPING = 'HOST_PATH[:CONTAINER_PATH][:rwm], paths below /dev without ..';

/** Reads "/dev/fuse", "/dev/fuse:rw", "/dev/sda:/dev/xvda" or "/dev/sda:/dev/xvda:rw"; undefined for any other text. */
export function parseDeviceMapping(text: string): DeviceMapping | undefined {
  const match = /^(\/dev\/[^:\0]+)(?::(\/[^:\0]+))?(?::([rwm]{1,3}))?$/.exec(text);
  const [, hostPath = '', path = hostPath, letters = 'rwm'] = match ?? [];
  if (match === null || [hostPath, path].some((each) => each.split('/').includes('..'))) return undefined;
  return { hostPath, path, access: ['r', 'w', 'm'].filter((letter) => letters.includes(letter)).join('') };
}

export function writeDeviceMapping({ hostPath, path, access }: DeviceMapping): string {
  return `${hostPath}:${path}:${access}`;
}
