/** Every other round backwards: what one leaves to the kernel (namespaces to clean up, dirty pages) meets not always the same next one. */
export function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? all : all.toReversed();
}
