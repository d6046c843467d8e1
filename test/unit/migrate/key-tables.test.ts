/** Every key of each version of the peers that was recorded is in a table: none is forgotten. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { containerdKeys } from '../../../src/migrate/containerd-keys.ts';
import { CRIO_KEYS } from '../../../src/migrate/crio-keys.ts';
import { parsePeerFile } from '../../../src/migrate/peer-tree.ts';
import { tomlKey } from '../../../src/migrate/report.ts';
import { findRule } from '../../../src/migrate/rule.ts';
import type { Rules } from '../../../src/migrate/rule.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');

/** The path that a TOML key stands for. */
function pathOf(key: string): string[] {
  const path: string[] = [];
  for (let table: unknown = parse(`${key.replaceAll('.*', '.any')} = 1`); typeof table === 'object' && table !== null;) {
    const [name = '', inner] = Object.entries(table)[0] ?? [];
    path.push(name);
    table = inner;
  }
  return path;
}

function forgotten(rules: Rules, paths: readonly (readonly string[])[]): string[] {
  return paths.filter((path) => findRule(rules, path) === undefined).map(tomlKey);
}

async function recordedKeys(name: string): Promise<string[][]> {
  const keys = (await readFile(join(FIXTURES, name), 'utf8')).trimEnd().split('\n');
  assert.ok(keys.length > 100, `${name} has ${keys.length} keys`);
  return keys.map(pathOf);
}

// The lists of keys are the toml tags of the structs that the configuration is read into, in the source of the version named;
// that of CRI-O was compared with what `crio config` of a build of it prints.
test('each key of CRI-O 1.37.0 has its rule', async () => {
  assert.deepEqual(forgotten(CRIO_KEYS, await recordedKeys('crio-1.37.0.keys')), []);
});

test('each key of the CRI plugin of containerd 1.7.24 has its rule in version 2', async () => {
  assert.deepEqual(forgotten(containerdKeys(2), await recordedKeys('containerd-1.7.24.keys')), []);
});

test('each key of containerd 2.4.0-beta.0 has its rule in versions 3 and 4', async () => {
  const keys = await recordedKeys('containerd-2.4.0-beta.0.keys');
  for (const version of [3, 4]) assert.deepEqual(forgotten(containerdKeys(version), keys), []);
});

// What `containerd config default` of Debian's packages (1.6.20, 1.7.24, 2.1.9) and of a build of 2.3.4 (version 4) prints.
test('each key that a containerd prints has its rule', async () => {
  const dumps = (await readdir(FIXTURES)).filter((name) => /^containerd-.*\.toml$/.test(name));
  assert.ok(dumps.length >= 4, dumps.join(', '));
  for (const name of dumps) {
    const { settings } = parsePeerFile(name, await readFile(join(FIXTURES, name), 'utf8'));
    const version = Number(settings.find(({ path }) => path.join() === 'version')?.value);
    const keys = settings.filter(({ value }) => typeof value !== 'object' || Array.isArray(value));
    assert.ok(keys.length > 100, name);
    assert.deepEqual(
      forgotten(
        containerdKeys(version),
        keys.map(({ path }) => path),
      ),
      [],
      name,
    );
  }
});

test('no rule of a table is hidden by one before it', () => {
  for (const [name, rules] of Object.entries({ crio: CRIO_KEYS, v2: containerdKeys(2), v3: containerdKeys(3) })) {
    const hidden = rules.filter(([pattern, rule]) => {
      const path = pattern.replaceAll('**', 'any').replaceAll('*', 'any').split('/');
      return findRule(rules, path)?.rule !== rule;
    });
    assert.deepEqual(
      hidden.map(([pattern]) => pattern),
      [],
      name,
    );
  }
});
