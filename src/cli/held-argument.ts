import { Argument } from 'commander';

/** What a word of the command line may stand for, where shell completion can tell what there is. */
export type Held = 'pod' | 'container' | 'image' | 'manual page' | 'command line';

/** An argument of which more is known than its name: completion asks the daemon what there is of it. */
export class HeldArgument extends Argument {
  /** `command line`: this and all that follows, options too, are those of another program. */
  readonly held: readonly Held[];

  /** @param usage `<NAME>`, `[NAME]`, or with `...` where there may be several */
  constructor(usage: string, description: string, held: readonly Held[]) {
    super(usage, description);
    this.held = held;
  }
}
