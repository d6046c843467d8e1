import eslint from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** An exception to a rule pays with a sentence: `// eslint-disable-next-line RULE -- REASON`. */
const disableNeedsReason = {
  meta: { type: 'problem', schema: [], messages: { reason: 'A disable comment needs its reason: "{{directive}} RULE -- REASON".' } },
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          const directive = /^\s*(eslint-disable(?:-next-line|-line)?)\b/.exec(comment.value)?.[1];
          if (directive !== undefined && !/\s--\s+\S/.test(comment.value)) {
            context.report({ loc: comment.loc, messageId: 'reason', data: { directive } });
          }
        }
      },
    };
  },
};

const BLOCKING =
  'A call that ends in Sync blocks the event loop and with it every other pod. Use node:fs/promises or a worker; ' +
  'an exception needs a disable comment that says what an asynchronous call would break.';

// ExecSync is an RPC of the CRI, and the one of node:child_process is out of reach already (spawn-only-in-linux).
const ENDS_IN_SYNC = '/^(?!execSync$).*Sync$/';

/** node:test's own functions return promises that the runner waits for. */
const NODE_TEST = {
  from: 'package',
  package: 'node:test',
  name: ['test', 'describe', 'it', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
};

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', 'api/*/{runtime,messages}.ts', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { podwright: { rules: { 'disable-needs-reason': disableNeedsReason } } },
    rules: {
      'podwright/disable-needs-reason': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/require-await': 'off', // an async method keeps its interface's promise of not throwing in the caller's turn
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // The compiler wants `record['key']` for index signatures (noPropertyAccessFromIndexSignature).
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/no-unsafe-enum-assignment': 'off', // there are no enums, and it takes a tenth of the time
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off', // likewise slow; structural types are wanted here
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', 80],
      'no-restricted-syntax': [
        'error',
        { selector: `CallExpression[callee.property.name=${ENDS_IN_SYNC}]`, message: BLOCKING },
        { selector: `CallExpression[callee.name=${ENDS_IN_SYNC}]`, message: BLOCKING },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [NODE_TEST] }],
      '@typescript-eslint/no-non-null-assertion': 'off', // a wrong one is a failing test
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  { files: ['*.js', '*.cjs'], languageOptions: { globals: { module: 'writable', require: 'readonly', process: 'readonly' } } },
);
