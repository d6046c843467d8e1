/** docs/fields.md, from the table of the rows and api.proto. */
import { matchRows, type FieldRow } from './match.ts';
import type { NamedTest, Row } from './row.ts';

const STATE = { honoured: 'honoured', refused: 'refused', accepted: 'no effect' } as const satisfies Record<Row['is'], string>;

/** @throws where a field has no row, or a row no field. */
export function fieldsPage(table: object, proto: string): string {
  const { rpcs, faults } = matchRows(table, proto);
  if (faults.length > 0) throw new Error(`scripts/fields: ${faults.join('; ')}`);
  const rows = rpcs.flatMap((rpc) => rpc.rows);
  const count = (is: Row['is']): number => rows.filter(({ row }) => row.is === is).length;
  const sections = rpcs.filter((rpc) => rpc.rows.length > 0).map(({ rpc, rows: own }) => `## ${rpc}\n\n${section(own)}`);
  const empty = rpcs.filter((rpc) => rpc.rows.length === 0).map(({ rpc }) => rpc);
  return `# Every field of every request

Printed from \`api/cri/api.proto\` and the rows in \`scripts/fields/\` by \`npm run generate\`; not to be edited. A unit test fails where a field has no
row (a new tag of the CRI), a row no field, a named test does not exist, the words of a refusal are not in the source, or this page is stale. A change of
what becomes of a field changes its row: \`scripts/fields/sandbox-rows.ts\`, \`container-rows.ts\` or \`requests.ts\`.

${rows.length} rows: ${count('honoured')} honoured, ${count('refused')} refused, ${count('accepted')} accepted without effect.

- **honoured**: it has the effect that the CRI says. The tests named see it where it lands: in the container, in the kernel, at the plugin.
- **refused**: a request that sets it fails with the words quoted, and nothing is made.
- **no effect**: it may be set, and changes nothing; the reason, and what CRI-O 1.37 and containerd 2.4 do with it.

Whatever a field may not be (a negative number, an enum of tomorrow, a NUL byte) is refused by its name too: \`test/e2e/refusals.test.ts\`,
\`test/e2e/wrong-values.test.ts\` (made from the schema), \`test/e2e/odd-requests.test.ts\`. The fields \`windows\` of any message are not read: this is a runtime for Linux, and the kubelet sends them to Windows nodes
only; CRI-O does not read them either. ${empty.join(', ')} have no fields.

${sections.join('\n')}`;
}

function section(rows: readonly FieldRow[]): string {
  const lines = rows.map(({ field, row, whole }) => {
    const name = `\`${field}\`${whole === undefined ? '' : ', all of it'}`;
    return `| ${name} | ${STATE[row.is]} | ${wordsOf(row)} | ${row.tests.map(link).join('; ')} |`;
  });
  return `| field | | | test |\n|---|---|---|---|\n${lines.join('\n')}\n`;
}

function wordsOf(row: Row): string {
  switch (row.is) {
    case 'honoured':
      return row.how;
    case 'refused':
      return `“${row.words}”: ${row.why}`;
    case 'accepted':
      return `${row.because}. Peers: ${row.peers}`;
  }
}

function link({ file, title }: NamedTest): string {
  return `[${file.replace(/^test\//, '').replace(/\.test\.ts$/, '')}](../${file}): ${title.replaceAll('|', '\\|')}`;
}
