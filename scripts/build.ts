/** Bundles the daemon into dist/: podwright.js, a file for each worker, a thread or a process (src/**\/*-worker.ts), and client.js with its parts for the commands. */
import { glob } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { basename, join } from 'node:path';
import { build as bundleFiles, type BuildOptions, type Plugin } from 'esbuild';
import { remove } from 'fs-extra/esm';

const REPOSITORY = join(import.meta.dirname, '..');

/** What few nodes need is a file of its own, beside the daemon's, and read only there. */
const APART: Plugin = {
  name: 'apart',
  setup: (build) => {
    build.onResolve({ filter: /\/(otlp|cluster-client)\.ts$/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path: `./${basename(path, '.ts')}.js`, external: true } : undefined,
    );
  },
};

/**
 * Node's own modules by require(), and of each only what is used: an import reads all of its exports, and thereby loads what few need, for
 * `node:http` all of fetch and WebSocket, and for `node:crypto` WebCrypto.
 */
const BUILTINS: Plugin = {
  name: 'builtins',
  setup: (build) => {
    build.onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind !== 'require-call' && isBuiltin(path) ? { path, namespace: 'builtin' } : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({ contents: builtinByRequire(path) }));
  },
};

/** An export that nobody imports is left out of the bundle, and so not read: hence the calls marked as pure. */
function builtinByRequire(path: string): string {
  const names = Object.keys(createRequire(import.meta.url)(path) as object).filter(
    (name) => /^[A-Za-z_]\w*$/.test(name) && name !== 'default',
  );
  const lines = names.map((name) => `const _${name} = /* @__PURE__ */ (() => builtin.${name})();\nexport { _${name} as ${name} };`);
  return [`const builtin = require(${JSON.stringify(path)});\nexport default builtin;`, ...lines].join('\n');
}

export interface BuildChoices {
  /** Leaves in the marks of src/base/stage.ts, at which the crash tests kill the daemon. @default false */
  readonly hasStages?: boolean;
  /** @default true */
  readonly hasSourceMaps?: boolean;
  /** What the build says that it is, in place of src/base/version.ts. */
  readonly version?: string | undefined;
}

/**
 * Replaces `outdir` by a build.
 * @returns every file that is in it, by its path from the repository, sorted.
 * @throws what esbuild found wrong; it has told it on standard error.
 */
export async function bundle(outdir: string, choices: BuildChoices = {}): Promise<readonly string[]> {
  const { hasStages = false, hasSourceMaps = true, version } = choices;
  const entryPoints = [{ in: join(REPOSITORY, 'src/main.ts'), out: 'podwright' }];
  for await (const file of glob('src/**/*-worker.ts', { cwd: REPOSITORY })) {
    // A worker is found beside the file that starts it: there `./NAME-worker.ts`, in the bundle `./NAME-worker.js`.
    entryPoints.push({ in: join(REPOSITORY, file), out: basename(file, '.ts') });
  }
  for (const file of ['src/tracing/otlp.ts', 'src/runtimeclass/cluster-client.ts'])
    entryPoints.push({ in: join(REPOSITORY, file), out: basename(file, '.ts') });
  await remove(outdir);
  const options: BuildOptions = {
    outdir,
    // Comments and the names of files have paths from here: the same bytes wherever the build is started.
    absWorkingDir: REPOSITORY,
    bundle: true,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    plugins: version === undefined ? [APART, BUILTINS] : [APART, BUILTINS, versionIs(version)],
    external: ['koffi'], // loads its native part from its own directory
    define: { PODWRIGHT_STAGES: String(hasStages) },
    minifySyntax: true,
    minifyWhitespace: true, // the text stays in memory
    keepNames: true,
    legalComments: 'linked',
    ...(hasSourceMaps ? { sourcemap: 'linked', sourcesContent: false } : {}),
    logLevel: 'warning',
    // Bundled CommonJS packages call require() for Node's own modules; ESM has none.
    banner: { js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
  };
  const daemon = await bundleFiles({ ...options, entryPoints });
  // What only some commands need is loaded by those. The daemon is whole instead: it outlives the files it was started from.
  const client = [{ in: join(REPOSITORY, 'src/client.ts'), out: 'client' }];
  const commands = await bundleFiles({ ...options, entryPoints: client, splitting: true, chunkNames: 'client-[hash]' });
  const inputs = [daemon, commands].flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}));
  return [...new Set(inputs)].sort();
}

function versionIs(version: string): Plugin {
  return {
    name: 'version',
    setup: (build) => {
      build.onLoad({ filter: /\/src\/base\/version\.ts$/ }, () => ({ contents: `export const VERSION = ${JSON.stringify(version)};` }));
    },
  };
}

if (import.meta.main) await bundle(join(REPOSITORY, 'dist')).catch(() => (process.exitCode = 1));
