/** How a plugin takes something away: it names it with a minus before the name. */
export const removalOf = (key: string): string => `-${key}`;

/** A name as a plugin has answered it, without the minus where it has one. */
export function parseKey(name: string): { readonly key: string; readonly removal: boolean } {
  return name.startsWith('-') ? { key: name.slice(1), removal: true } : { key: name, removal: false };
}
