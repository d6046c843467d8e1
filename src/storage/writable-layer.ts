import { join } from 'node:path';
import { VOLATILE_MARK } from '../linux/mounts.ts';

/** The places of what one container writes, over the layers of its image. */
export class WritableLayer {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** What the container has written: the upper directory of its overlay. */
  get upper(): string {
    return join(this.directory, 'upper');
  }

  /** overlayfs' own. */
  get work(): string {
    return join(this.directory, 'work');
  }

  /** The kernel's mark that the layer was mounted volatile. */
  get volatileMark(): string {
    return join(this.work, VOLATILE_MARK);
  }

  /** The layers of its image and of its image volumes, a line each. */
  get chainFile(): string {
    return join(this.directory, 'chain');
  }

  /** The boot in which it was mounted. */
  get bootFile(): string {
    return join(this.directory, 'boot');
  }
}
