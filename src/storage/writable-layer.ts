import { join } from 'node:path';
import { VOLATILE_MARK } from '../linux/mounts.ts';

/** cAdvisor looks for what a container has written in a directory of this name, and follows no link to another. */
const UPPER = 'diff';
/** The name that daemons gave it which did not know cAdvisor yet. */
export const OLDER_UPPER = 'upper';

/** The places of what one container writes, over the layers of its image. */
export class WritableLayer {
  readonly directory: string;
  readonly #upperName: string;

  /** @param upperName another one where an older daemon has made it. */
  constructor(directory: string, upperName = UPPER) {
    this.directory = directory;
    this.#upperName = upperName;
  }

  /** What the container has written: the upper directory of its overlay. */
  get upper(): string {
    return join(this.directory, this.#upperName);
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
