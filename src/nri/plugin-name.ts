/** What is wrong with a plugin's index; undefined: nothing. Two digits, upstream's CheckPluginIndex. */
export function indexFault(index: string): string | undefined {
  return /^\d\d$/.test(index) ? undefined : `its index is "${index}", must be two digits`;
}

/** What is wrong with a plugin's name; undefined: nothing. Upstream's CheckPluginName. */
export function nameFault(name: string): string | undefined {
  return /^[\w.+-]+$/.test(name) ? undefined : `its name is "${name}", must be letters, digits and any of - _ . +`;
}

/** `INDEX-NAME` taken apart; undefined where it is no such name. */
export function splitPluginName(fileName: string): { readonly index: string; readonly name: string } | undefined {
  const [, index = '', name = ''] = /^(\d\d)-(.+)$/s.exec(fileName) ?? [];
  return index === '' || nameFault(name) !== undefined ? undefined : { index, name };
}
