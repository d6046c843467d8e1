/** Ends a window. */
type End = () => void;

/** Lets a waiting joiner begin. */
type Begin = () => void;

/**
 * Keeps the synchronization of a plugin apart from work whose plugins' calls and visible result must not be divided by it: a
 * plugin that joins then misses nothing and sees nothing twice. Work in a window runs beside other windows. A joining plugin is
 * synchronized while no window is open; windows that want to begin then wait until that is over.
 *
 * A joiner that waits holds new windows up, so that its moment comes, but for no longer than the patience: then they go on, the
 * joiner waits for the windows that were open at that time, and only when the last of them has ended does it hold up new ones
 * again. One create that hangs so costs others one patience, not one each.
 */
export class Windows {
  readonly #patienceMs: () => number;
  readonly #open = new Set<End>();
  #waiting: (() => void)[] = [];
  #joiners: Begin[] = [];
  #alone = 0;
  /** While a joiner holds new windows up. */
  #patience: NodeJS.Timeout | undefined;
  /** Windows that outlasted a patience. */
  #slow: Set<End> | undefined;

  /** @param patienceMs how long a waiting joiner holds new windows up, milliseconds; asked each time. */
  constructor(patienceMs: () => number) {
    this.#patienceMs = patienceMs;
  }

  /** How many windows are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /**
   * Runs work in a window. It begins late by one patience and one synchronization at most, also under a lock that an open window waits
   * for. Not to be called within one: a joiner would hold the inner one up for its patience, while it waits for the outer.
   */
  async window<T>(work: () => Promise<T>): Promise<T> {
    const end = this.#isFree() ? this.#enter() : await this.#wait();
    try {
      return await work();
    } finally {
      end();
    }
  }

  /**
   * Runs the synchronization of a joining plugin while no window is open. Several run side by side. The work must end in bounded
   * time: windows wait for it.
   * @param gone resolves when the plugin has gone: it then waits no longer for its moment.
   * @returns undefined where it has gone.
   */
  async alone<T>(work: () => Promise<T>, gone?: Promise<unknown>): Promise<T | undefined> {
    if (!(await this.#moment(gone))) return undefined;
    try {
      return await work();
    } finally {
      this.#alone -= 1;
      if (this.#alone === 0) this.#reopen();
    }
  }

  /** @returns false where the joiner has gone before its moment came. */
  async #moment(gone?: Promise<unknown>): Promise<boolean> {
    return await new Promise<boolean>((resolve) => {
      const begin = (): void => {
        resolve(true);
      };
      this.#joiners.push(begin);
      void gone?.then(() => {
        if (!this.#joiners.includes(begin)) return;
        this.#joiners = this.#joiners.filter((each) => each !== begin);
        resolve(false);
        if (this.#joiners.length === 0) this.#letGo();
      });
      this.#advance();
    });
  }

  /** Nobody waits any more: windows that were held up begin. */
  #letGo(): void {
    if (this.#alone > 0) return;
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#slow = undefined;
    this.#letIn();
  }

  #isFree(): boolean {
    return this.#alone === 0 && this.#patience === undefined;
  }

  #enter(): End {
    const end = (): void => {
      this.#open.delete(end);
      this.#slow?.delete(end);
      this.#advance();
    };
    this.#open.add(end);
    return end;
  }

  async #wait(): Promise<End> {
    return await new Promise<End>((resolve) => {
      this.#waiting.push(() => {
        resolve(this.#enter());
      });
    });
  }

  /** Lets waiting windows begin; they count as open at once, so that no joiner comes between. */
  #letIn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const enter of waiting) enter();
  }

  #reopen(): void {
    this.#letIn();
    this.#advance();
  }

  #advance(): void {
    if (this.#joiners.length === 0) return;
    // Beside others that are synchronized already, unless windows wait for the end of that.
    const mayBegin = this.#alone === 0 ? this.#open.size === 0 : this.#waiting.length === 0;
    if (mayBegin) this.#begin();
    else if (this.#alone === 0) this.#hold();
  }

  #begin(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#slow = undefined;
    const joiners = this.#joiners;
    this.#joiners = [];
    this.#alone += joiners.length;
    for (const begin of joiners) begin();
  }

  #hold(): void {
    if (this.#patience !== undefined || (this.#slow !== undefined && this.#slow.size > 0)) return;
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      this.#slow = new Set(this.#open);
      this.#letIn();
    }, this.#patienceMs());
  }
}
