/** Writes what is printed from the tables of the code: docs/config.md, docs/metrics.md, docs/fields.md and deploy/podwright.toml. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultSettings } from '../src/config/overlay.ts';
import { printMarkdown } from '../src/config/pages.ts';
import { printToml } from '../src/config/print.ts';
import { metricsPage } from '../src/metrics/page.ts';
import { fieldsPage } from './fields/page.ts';
import { REQUESTS } from './fields/requests.ts';

const repository = join(import.meta.dirname, '..');
await writeFile(join(repository, 'docs/config.md'), printMarkdown(defaultSettings()));
await writeFile(join(repository, 'deploy/podwright.toml'), printToml(defaultSettings()));
await writeFile(join(repository, 'docs/metrics.md'), metricsPage());
const proto = await readFile(join(repository, 'api/cri/api.proto'), 'utf8');
await writeFile(join(repository, 'docs/fields.md'), fieldsPage(REQUESTS, proto));
