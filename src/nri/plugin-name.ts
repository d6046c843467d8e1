/** What is wrong with a plugin's index; undefined: nothing. Two digits, upstream's CheckPluginIndex. */
export function indexFault(index: string): string | undefined {
  return /^\d\d$/.test(index) ? undefined : `its index is "${index.slice(0, 10)}", must be two digits`;
}

/** Longest name of a plugin, characters: it stands in log lines, metrics and errors. Upstream has no limit. */
const LONGEST_NAME = 100;

/** What is wrong with a plugin's name; undefined: nothing. Upstream's CheckPluginName. */
export function nameFault(name: string): string | undefined {
  if (name.length > LONGEST_NAME) return `its name has ${name.length} characters, must have ${LONGEST_NAME} at most`;
  return /^[\w.+-]+$/.test(name) ? undefined : `its name is "${name}", must be letters, digits and any of - _ . +`;
}

/** `INDEX-NAME` taken apart; undefined where it is no such name. */
export function splitPluginName(fileName: string): { readonly index: string; readonly name: string } | undefined {
  const [, index = '', name = ''] = /^(\d\d)-(.+)$/s.exec(fileName) ?? [];
  return index === '' || nameFault(name) !== undefined ? undefined : { index, name };
}
