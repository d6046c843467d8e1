// The layers of ARCHITECTURE.md: imports go down only. A new folder under src/ is a new row here, and a row names what is
// imported and no more: the table is the picture of the house.
const adapters = ['cdi', 'hooks', 'cni', 'nri', 'ociruntime', 'storage', 'registry', 'trust'];

/** Which other folders of src/ a folder may import from. */
const may = {
  base: [],
  config: ['base'],
  history: ['base'],
  metrics: ['base'],
  tracing: ['base'],
  linux: ['base'],
  cdi: ['base', 'linux'],
  hooks: ['base'],
  cni: ['base', 'linux'],
  nri: ['base', 'linux'],
  ociruntime: ['base', 'linux'],
  storage: ['base', 'linux'],
  registry: ['base', 'linux'],
  trust: ['base', 'linux'],
  ocispec: ['base', 'linux', 'cdi'],
  image: ['base', 'linux', 'storage', 'registry', 'trust'],
  podsandbox: ['base', 'linux', 'cni', 'ociruntime', 'ocispec'], // never container: what concerns both is in pod
  container: ['base', 'linux', 'cdi', 'hooks', 'ociruntime', 'storage', 'ocispec', 'image', 'podsandbox'],
  pod: ['base', 'linux', 'ociruntime', 'podsandbox', 'container'],
  lifecycle: ['base', 'nri', 'ocispec', 'podsandbox', 'container'],
  stats: ['base', 'linux', 'podsandbox', 'container'],
  explain: ['base', 'history', 'image', 'podsandbox', 'container'],
  streaming: ['base'],
  runtimeservice: ['base', 'cni', 'ociruntime', 'stats', 'podsandbox', 'container', 'pod', 'streaming'],
  imageservice: ['base', 'image'],
  server: ['base', 'metrics', 'runtimeservice', 'imageservice'],
  admin: ['base'],
  cadvisor: ['base'],
  migrate: ['base', 'config'],
  runtimeclass: ['base'],
  nodecheck: ['base', 'config', 'linux', 'cni', 'ociruntime', 'registry', 'admin'], // admin: the daemon's report
  debugbundle: ['base', 'config', 'linux', 'nodecheck', 'admin'],
  cli: ['base', 'config', 'admin', 'linux', 'migrate', 'runtimeclass', 'nodecheck', 'debugbundle'], // admin: its report types only, linux: the terminal only, see cli-is-a-thin-client
};
// The composition root puts all of them together.
may.daemon = Object.keys(may).filter((folder) => folder !== 'cli');

/** Folders that adapters and everything under them make up; they speak OCI, CNI and registry types, not the CRI's. NRI has rules of its own. */
const belowTheDomain = ['base', 'config', 'history', 'metrics', 'linux', ...adapters].filter((folder) => folder !== 'nri').join('|');

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    rule('no-cycles', 'Two files that import each other have no layer.', {}, { circular: true }),
    ...Object.entries(may).map(([folder, others]) =>
      rule(
        `layer-${folder}`,
        `src/${folder} may import from: ${others.join(', ') || 'nothing'} (ARCHITECTURE.md, layers).`,
        { path: `^src/${folder}/` },
        { path: '^src/', pathNot: [folder, ...others].map((name) => `^src/${name}/`) },
      ),
    ),
    rule(
      'folder-without-a-layer',
      'Give the new folder a row in .dependency-cruiser.cjs.',
      {
        path: '^src/[^/]+/',
        pathNot: `^src/(${Object.keys(may).join('|')})/`,
      },
      {},
    ),
    rule(
      'main-is-the-root',
      'Nothing imports the composition root.',
      { pathNot: '^src/(main\\.ts$|daemon/)' },
      { path: '^src/(main\\.ts$|daemon/)' },
    ),
    rule(
      'cli-is-a-thin-client',
      'The command line knows the admin socket by its report types only.',
      { path: '^src/cli/' },
      {
        path: '^src/admin/',
        pathNot: '^src/admin/.*reports\\.ts$',
      },
    ),
    rule(
      'cli-and-its-terminal',
      'Of the kernel, the command line knows the terminal that it is on.',
      { path: '^src/cli/' },
      {
        path: '^src/linux/',
        pathNot: '^src/linux/terminal-mode\\.ts$',
      },
    ),
    rule(
      'grpc-only-at-the-edge',
      'gRPC types live in src/server (and in the client of src/cli).',
      { path: '^src/', pathNot: '^src/(server|cli)/' },
      {
        path: 'node_modules/@grpc/',
      },
    ),
    rule(
      'opentelemetry-only-in-tracing',
      'Spans are made in src/tracing only.',
      { path: '^src/', pathNot: '^src/tracing/' },
      { path: 'node_modules/@opentelemetry/' },
    ),
    rule(
      'cri-types-above-adapters',
      'Adapters and image speak OCI, CNI and registry types; CRI messages stop at the domain.',
      {
        path: `^src/(${belowTheDomain}|image)/`,
      },
      { path: '^api/' },
    ),
    rule(
      'cri-code-only-at-the-edge',
      'Between server and cli (and src/nri for its own), messages are plain data: import types, the numbers of enums.ts and the table of shapes.ts.',
      {
        path: '^src/',
        pathNot: '^src/(server|cli|nri)/',
      },
      { path: '^api/', pathNot: '^api/(cri/(enums|shapes)|nri/enums)\\.ts$', dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'nri-speaks-nri',
      'The adapter of NRI has the codecs of its own protocol and none of the CRI.',
      { path: '^src/nri/' },
      { path: '^api/', pathNot: '^api/(nri|ttrpc)/' },
    ),
    rule(
      'nri-types-in-the-domain',
      'Who builds what plugins are told, or does what they want, may know the types of NRI; nobody else.',
      { path: '^src/', pathNot: '^src/(nri|ocispec|podsandbox|container|lifecycle)/' },
      { path: '^api/(nri|ttrpc)/' },
    ),
    rule('ttrpc-in-the-adapter', 'The envelope of a call to a plugin.', { path: '^src/', pathNot: '^src/nri/' }, { path: '^api/ttrpc/' }),
    rule(
      'spawn-only-in-linux',
      'Processes are started in src/linux only.',
      { path: '^src/', pathNot: '^src/linux/' },
      {
        path: '^(node:)?child_process$|node_modules/execa/',
      },
    ),
    rule(
      'ffi-only-in-linux',
      'System calls by FFI are made in src/linux only.',
      { path: '^src/', pathNot: '^src/linux/' },
      {
        path: 'node_modules/koffi/',
      },
    ),
    rule('no-tests-in-the-product', 'Product code never imports tests or scripts.', { path: '^(src|api)/' }, { path: '^(test|scripts)/' }),
    rule('not-installed', 'An import that nothing answers.', {}, { couldNotResolve: true }),
    rule(
      'no-dev-dependency-in-the-product',
      'What the daemon imports must be in dependencies.',
      { path: '^(src|api)/' },
      {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true, // see type-only imports too
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
