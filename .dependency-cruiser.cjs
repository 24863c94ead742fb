// Which way imports may point (docs/decisions/0002-directions.md). Everything not listed is forbidden.
const allowed = {
  domain: [],
  wire: ['domain'],
  trees: ['domain'],
  runtimes: ['domain'],
  client: ['domain', 'wire'],
  cli: ['domain', 'wire', 'client', 'trees'],
  worker: ['domain', 'wire', 'client', 'trees', 'runtimes'],
  server: ['domain', 'wire', 'trees'],
  testkit: ['domain', 'wire', 'trees', 'runtimes', 'client'],
};
const names = Object.keys(allowed);

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    {
      name: 'domain-is-pure',
      comment: 'The rules run in a browser: no Node module and no library.',
      severity: 'error',
      from: { path: '^packages/domain/src', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    {
      name: 'wire-runs-in-a-browser',
      severity: 'error',
      from: { path: '^packages/wire/src', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    ...names.flatMap((name) => {
      const forbidden = names.filter((other) => other !== name && !allowed[name].includes(other));
      const production = forbidden.map((other) => ({
        name: `${name}-not-to-${other}`,
        severity: 'error',
        from: { path: `^packages/${name}/src`, pathNot: '\\.(test|conformance)\\.ts$' },
        to: { path: `^packages/${other}/` },
      }));
      const fromTests = forbidden
        .filter((other) => other !== 'testkit')
        .map((other) => ({
          name: `${name}-tests-not-to-${other}`,
          severity: 'error',
          from: { path: `^packages/${name}/src.*\\.(test|conformance)\\.ts$` },
          to: { path: `^packages/${other}/` },
        }));
      return [...production, ...fromTests];
    }),
    {
      name: 'only-through-the-front-door',
      comment: 'Each package exports its index; nothing reaches into the files of another.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/([^/]+)/src', pathNot: ['^packages/$1/', '^packages/[^/]+/src/(index|node|testing)\\.ts$'] },
    },
    {
      name: 'tests-through-the-front-door',
      severity: 'error',
      from: { path: '^(tests|bench)/' },
      to: { path: '^packages/[^/]+/src', pathNot: ['^packages/[^/]+/src/(index|node|testing)\\.ts$'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
