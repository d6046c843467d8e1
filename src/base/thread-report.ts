/** Where a thread, or a process by its thread that tells most, is in the kernel: plain JSON of the admin socket. */
export interface ThreadReport {
  /** A thread's or a process's id. */
  readonly id: number;
  readonly name: string;
  /** R, S, D, Z ..., proc_pid_stat(5). */
  readonly state: string;
  /** The function of the kernel that it sleeps in; empty where it runs, or the kernel does not say. */
  readonly waitsIn: string;
  /** Innermost first; none where it runs in user space, or we lack CAP_SYS_ADMIN. */
  readonly stack: readonly string[];
  /** In words, of a child: what it, or the descendant that tells most, waits for. */
  readonly waitsFor?: string;
}
