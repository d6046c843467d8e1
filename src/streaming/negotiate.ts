/** How a client's offer of protocols was answered. */
export type Negotiated<P extends string> = { readonly protocol: P } | { readonly refused: string };

/** Takes the first protocol of the client that we know; `missing` stands for an offer without any. */
export function negotiate<P extends string>(offered: readonly string[], known: readonly P[], missing: P | undefined): Negotiated<P> {
  if (offered.length === 0 && missing !== undefined) return { protocol: missing };
  const protocol = offered.map((name) => known.find((other) => other === name)).find((name) => name !== undefined);
  if (protocol !== undefined) return { protocol };
  return { refused: `the client offers the protocols ${offered.join(', ') || '(none)'}, must offer one of ${known.join(', ')}` };
}

/** The values of a header that may come several times, each a list. */
export function listOf(values: readonly string[] | undefined): string[] {
  return (values ?? [])
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}
