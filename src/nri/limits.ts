import type { ContainerUpdate } from '../../api/nri/messages.ts';

/** What is taken of a plugin, whatever it sends. The module has no limits but a message's, 4 MiB. */

/**
 * Most bytes of an answer, or of a call, of a plugin. A message of 4 MiB may consist of two million parts, which block the event loop for
 * seconds; a large honest one, with updates of all containers of a node, has some hundred kilobytes.
 */
export const MOST_BYTES_OF_A_PLUGIN = 1024 * 1024;

/** Most updates and evictions at once. A node has some hundred containers. */
export const MOST_WISHES = 10_000;

/** Most updates of one container at once: each is a call of its runtime, and whoever wants to stop it waits for all of them. */
const MOST_UPDATES_OF_ONE = 20;

/** What is wrong with so many wishes at once; undefined: nothing. */
export function wishesFault(updates: readonly ContainerUpdate[], evictions = 0): string | undefined {
  const count = updates.length + evictions;
  if (count > MOST_WISHES) return `${count} updates and evictions, must be ${MOST_WISHES} at most`;
  const counts = new Map<string, number>();
  for (const { containerId } of updates) counts.set(containerId, (counts.get(containerId) ?? 0) + 1);
  const [most] = [...counts].filter(([, times]) => times > MOST_UPDATES_OF_ONE);
  return most && `${most[1]} updates of container ${shortened(most[0])}, must be ${MOST_UPDATES_OF_ONE} at most`;
}

/** Most connections whose plugins are not ready; they have `registration_timeout` to become that. */
export const MOST_JOINING = 100;

/** Most plugins from outside at once, those that are not ready included: each event is told to one after the other. */
export const MOST_CONNECTED = 200;

/** Longest list of plugins that a pod may require, characters. Reading one of the 256 KiB of an annotation takes a third of a second. */
export const LONGEST_REQUIRED_PLUGINS = 10_000;

/** A text of a plugin or a pod as log lines, reports and errors may have it: it may be a megabyte long. */
export function shortened(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}...` : text;
}
