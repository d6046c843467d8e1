import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { migrate } from '../../src/migrate/migrate.ts';
import type { Migration, Peer } from '../../src/migrate/migrate.ts';
import type { ReportLine } from '../../src/migrate/report.ts';

/** A directory with the files of another runtime, and what comes of them. */
export class MigrateLab {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(t: TestContext, files: Readonly<Record<string, string>>): Promise<MigrateLab> {
    const lab = new MigrateLab(await mkdtemp(join(tmpdir(), 'podwright-migrate-')));
    t.after(async () => remove(lab.directory));
    for (const [name, text] of Object.entries(files)) await lab.write(name, text);
    return lab;
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  async write(name: string, text: string): Promise<void> {
    await mkdir(dirname(this.at(name)), { recursive: true });
    await writeFile(this.at(name), text);
  }

  /** What the daemon makes of the file that came of the migration. @throws where it refuses it */
  async load(peer: Peer): Promise<{ readonly migration: Migration; readonly config: Config }> {
    const migration = migrate(peer);
    await this.write('podwright.toml', migration.toml);
    await mkdir(this.at('none'), { recursive: true });
    const { config } = await loadConfig({ file: this.at('podwright.toml'), directory: this.at('none') });
    return { migration, config };
  }
}

/** Keys with this fate, each with the words about it. */
export function fates({ lines }: Migration, fate: ReportLine['fate']): Record<string, string> {
  return Object.fromEntries(lines.filter((line) => line.fate === fate).map(({ key, why = '' }) => [key, why]));
}
