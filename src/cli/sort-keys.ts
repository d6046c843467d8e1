/** What `podwright top` may be sorted by. */
export const SORT_KEYS = ['cpu', 'memory', 'processes', 'rx', 'tx', 'throttled', 'oom', 'name'] as const;
export type SortKey = (typeof SORT_KEYS)[number];
