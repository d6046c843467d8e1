/** registries.d, containers-registries.d(5): where the signatures of images are. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { scopesOf } from './image-name.ts';
import type { ImageName } from './image-name.ts';
import { readTrustedFile } from './trusted-file.ts';

/** Where to look for the signatures of one image. */
export interface SignaturePlaces {
  /** Below it are OpenPGP signatures: `file:///...`, `https://...`. */
  readonly lookaside: string;
  /** Whether sigstore signatures lie in the registry, beside the image. */
  readonly attachments: boolean;
}

interface Section {
  readonly lookaside?: string | undefined;
  readonly attachments?: boolean | undefined;
}

/** Where they are if nothing says so. */
const DEFAULT_LOOKASIDE = 'file:///var/lib/containers/sigstore';

/** All files of a registries.d directory. */
export class RegistriesD {
  readonly #sections = new Map<string, Section & { readonly file: string }>();

  /** Reads the `.yaml` files of a directory, which may be missing. @throws InvalidArgument that names file and key. */
  static async load(directory: string): Promise<RegistriesD> {
    const loaded = new RegistriesD();
    let names: string[] = [];
    try {
      names = (await readdir(directory)).filter((name) => name.endsWith('.yaml')).sort();
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw new DaemonError('InvalidArgument', `read ${directory}: ${messageOf(error)}`, { cause: error });
    }
    for (const name of names) {
      const file = join(directory, name);
      try {
        const text = (await readTrustedFile(file)).toString('utf8');
        const { load } = await import('js-yaml'); // for nodes that have such a file
        loaded.#take(new Field(load(text) ?? {}, ''), file);
      } catch (error) {
        if (hasErrno(error, 'ENOENT')) continue;
        throw new DaemonError('InvalidArgument', `read ${file}: ${messageOf(error)}`, { cause: error });
      }
    }
    return loaded;
  }

  /** Of each of the two what the closest scope says that says anything, as containers/image reads it. */
  placesOf(name: ImageName): SignaturePlaces {
    const sections = [...scopesOf(name), DEFAULT_SECTION].flatMap((scope) => this.#sections.get(scope) ?? []);
    return {
      lookaside: sections.find(({ lookaside }) => lookaside !== undefined)?.lookaside ?? DEFAULT_LOOKASIDE,
      attachments: sections.find(({ attachments }) => attachments !== undefined)?.attachments ?? false,
    };
  }

  #take(root: Field, file: string): void {
    const fallback = root.at('default-docker').given;
    if (fallback !== undefined) this.#add(DEFAULT_SECTION, fallback, file);
    const docker = root.at('docker').given;
    for (const scope of Object.keys(docker?.object() ?? {})) this.#add(scope, docker?.at(scope) as Field, file);
  }

  #add(scope: string, field: Field, file: string): void {
    const other = this.#sections.get(scope);
    if (other !== undefined) throw new Error(`${scope === DEFAULT_SECTION ? 'default-docker' : scope} is in ${other.file} as well`);
    this.#sections.set(scope, { ...readSection(field), file });
  }
}

const DEFAULT_SECTION = '';

function readSection(field: Field): Section {
  const lookaside = field.at('lookaside').given ?? field.at('sigstore').given; // its name before
  const text = lookaside?.text();
  if (lookaside !== undefined && text !== '' && !/^(https?|file):\/\//.test(text ?? '')) lookaside.refuse('a URL with file, http or https');
  return { lookaside: text === '' ? undefined : text, attachments: field.at('use-sigstore-attachments').given?.flag() };
}
