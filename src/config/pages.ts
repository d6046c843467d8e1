import { RoffPage } from '../base/roff.ts';
import { configReference, READING } from './reference.ts';
import type { KeyReference } from './reference.ts';
import type { Settings } from './schema.ts';

/** docs/config.md: every key with its kind, default and meaning. */
export function printMarkdown(settings: Settings): string {
  const lines = [
    '# Configuration',
    '',
    '<!-- Printed from src/config/schema.ts by `npm run generate`; a unit test compares. Do not edit. -->',
    ...READING.flatMap((paragraph) => ['', paragraph]),
  ];
  for (const { name, paragraphs, keys } of configReference(settings)) {
    lines.push('', name === undefined ? '## Top level' : `## \`[${name}]\``, '', ...paragraphs.flatMap((each) => [each, '']));
    lines.push('| key | kind | default | meaning | flag |', '|---|---|---|---|---|');
    for (const key of keys) lines.push(`| ${cellsOf(key).map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`); // prettier-ignore
  }
  return `${lines.join('\n')}\n`;
}

function cellsOf({ name, kind, fallback, doc, isReloadable, flag, isRepeatable }: KeyReference): string[] {
  const flagCell = flag === undefined ? '' : `\`${flag}\`${isRepeatable ? ', repeatable' : ''}`;
  return [`\`${name}\``, kind, `\`${fallback}\``, isReloadable ? `${doc} *Reloadable.*` : doc, flagCell];
}

/** The manual page podwright.toml(5). */
export function printManual(settings: Settings, source: string): string {
  const page = new RoffPage('podwright.toml', 5, 'configuration of podwright', source);
  page.section('Description');
  for (const paragraph of READING) page.paragraph(paragraph);
  for (const { name, paragraphs, keys } of configReference(settings)) {
    if (name === undefined) page.section('Keys of the top level');
    else page.section(`[${name}]`);
    for (const paragraph of paragraphs) page.paragraph(paragraph);
    for (const { name: key, kind, fallback, doc, isReloadable, flag, isRepeatable } of keys) {
      const flagWords = flag === undefined ? [] : [`Flag: \`${flag}\`${isRepeatable ? ', repeatable' : ''}.`];
      page.entry(key, doc, `Kind: ${kind}. Default: \`${fallback}\`. ${isReloadable ? 'Reloadable. ' : ''}${flagWords.join('')}`);
    }
  }
  page.section('Files').entry('/etc/podwright/podwright.toml', 'The configuration.');
  page.entry('/etc/podwright/conf.d/*.toml', 'Drop-ins.');
  return page.section('See also').paragraph('`podwright(8)`, `podwright-config(8)`').toString();
}
