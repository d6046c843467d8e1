import type { ImageDetailReport, PruneReport } from '../admin/image-reports.ts';
import type { LayerReport } from '../admin/reports.ts';
import type { AdminClient } from './admin-client.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { jsonText, sizeText, table } from './io.ts';
import type { CliIo } from './io.ts';

/** What of a config people look for. */
const SHOWN = ['User', 'WorkingDir', 'Entrypoint', 'Cmd', 'ExposedPorts', 'Volumes', 'StopSignal'] as const;

/** `image inspect REF` */
export function inspectText(image: ImageDetailReport): string {
  const config = fieldsOf(image.config);
  const process = fieldsOf(config['config']);
  const facts = [
    ['id', image.id],
    ...listRows('names', image.names),
    ...listRows('digests', image.digests),
    ['size', `${sizeText(image.sizeBytes)} on the disk by itself`],
    ['manifest', `${image.manifestDigest} (${image.manifestMediaType})`],
    ['config', image.configDigest],
    ['platform', [config['os'], config['architecture'], config['variant']].filter((each) => typeof each === 'string').join('/')],
    ['created', typeof config['created'] === 'string' ? config['created'] : ''],
    ['changed here', image.updatedAt],
    ['pinned', image.pinned ? 'yes' : 'no'],
    ['store', image.store ?? ''],
    ['artifact', image.artifactType ?? ''],
    ...SHOWN.map((key) => [key.toLowerCase(), valueText(process[key])]),
    ...listRows('env', Array.isArray(process['Env']) ? process['Env'].map(String) : []),
    ...listRows(
      'label',
      Object.entries(fieldsOf(process['Labels'])).map(([key, value]) => `${key}=${String(value)}`),
    ),
  ].filter(([, value]) => value !== '');
  const layers = image.layers.map(({ digest, mediaType, sizeBytes, unpackedBytes, isBlobKept, sharedWith }, index) => [
    ` ${index + 1}`,
    digest,
    sizeText(sizeBytes),
    sizeText(unpackedBytes),
    isBlobKept ? 'kept' : 'dropped',
    sharedWith === 0 ? '' : String(sharedWith),
    mediaType,
  ]);
  const users = image.usedBy.map(({ containerId, container, pod }) => [' ', containerId.slice(0, 12), container, pod]);
  return [
    table(facts),
    `layers, the lowest first:\n${table([[' #', 'DIGEST', 'SIZE', 'UNPACKED', 'BLOB', 'SHARED WITH', 'TYPE'], ...layers])}`,
    users.length === 0 ? 'no container uses it\n' : `containers that use it:\n${table(users)}`,
  ].join('\n');
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function valueText(value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function listRows(what: string, values: readonly string[]): string[][] {
  return values.map((value, index) => [index === 0 ? what : '', value]);
}

/** `image rm REF...`: each by itself, so that one that is refused keeps none of the others. */
export async function removeImages(client: AdminClient, references: readonly string[], io: CliIo): Promise<void> {
  const failures: unknown[] = [];
  for (const reference of references) {
    try {
      const { id, names } = await client.removeImage(reference);
      io.stdout.write(`${id} ${names.join(' ')}`.trimEnd() + '\n');
    } catch (error) {
      if (error instanceof CliError && error.exitCode === EXIT.noDaemon) throw error;
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  throw new CliError(EXIT.failed, failures.map((error) => (error instanceof Error ? error.message : String(error))).join('\npodwright: '));
}

/** `image prune` */
export function tellPruned(report: PruneReport, json: boolean, io: CliIo): void {
  const { isDryRun, removed, freedBytes, failures } = report;
  if (json) io.stdout.write(jsonText(report));
  else {
    io.stdout.write(table(removed.map(({ id, names }) => [id.replace('sha256:', '').slice(0, 12), names.join(' ') || '(no name)'])));
    const count = removed.length === 1 ? '1 image' : `${removed.length} images`;
    io.stdout.write(
      `${isDryRun ? 'would remove' : 'removed'} ${count}, ${isDryRun ? 'which frees' : 'which freed'} ${sizeText(freedBytes)} (${freedBytes} bytes)\n`,
    );
  }
  if (failures.length > 0) throw new CliError(EXIT.failed, failures.join('\npodwright: '));
}

const REPAIRS: Readonly<Record<LayerReport['repair'], string>> = {
  none: '',
  mended: 'made anew from its compressed form',
  fetched: 'fetched again',
  dropped: 'taken away',
  'in use': 'left as it is: a container stands on it',
};

/** `image verify`: what is damaged, and how much was looked at. */
export function tellFindings(findings: readonly LayerReport[], json: boolean, io: CliIo): void {
  const damaged = findings.filter(({ tree, blob }) => tree === 'damaged' || blob === 'damaged');
  const unmended = damaged.filter(
    ({ tree, repair, error }) =>
      repair === 'none' || repair === 'in use' || error !== undefined || (repair === 'dropped' && tree === 'damaged'),
  );
  if (json) io.stdout.write(jsonText(findings));
  else {
    io.stdout.write(
      table(
        damaged.map(({ image, digest, tree, blob, repair, error }) => [
          image,
          digest,
          whatText(tree, blob),
          [REPAIRS[repair], error ?? ''].filter((words) => words !== '').join(': '),
        ]),
      ),
    );
    const unknown = findings.filter(({ tree }) => tree === 'unknown').length;
    const outside = findings.filter(({ tree }) => tree === 'outside').length;
    const words = [`${findings.length} layers looked at`, `${damaged.length} damaged`];
    if (damaged.length > unmended.length) words.push(`${damaged.length - unmended.length} of them mended`);
    if (unknown > 0) words.push(`${unknown} without a digest to compare with`);
    if (outside > 0) words.push(`${outside} in stores of others, not looked at`);
    io.stdout.write(`${words.join(', ')}\n`);
  }
  if (unmended.length > 0) throw new CliError(EXIT.found, `image verify: ${unmended.length} damaged`);
}

function whatText(tree: LayerReport['tree'], blob: LayerReport['blob']): string {
  return [tree === 'damaged' ? 'files damaged' : '', blob === 'damaged' ? 'compressed form damaged' : '']
    .filter((words) => words !== '')
    .join(', ');
}
