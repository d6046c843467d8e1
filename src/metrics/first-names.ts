/**
 * Names of a label that come from outside: of configurations, of plugins. Numbers are never forgotten, and there may be ever new names, so
 * the first `most` have numbers of their own, and the rest are `other`.
 */
export function firstNames(most: number): (name: string) => string {
  const names = new Set<string>();
  return (name) => {
    if (names.size < most) names.add(name);
    return names.has(name) ? name : 'other';
  };
}
