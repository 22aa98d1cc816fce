import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

export default [
  { ignores: ['dist', 'node_modules', 'src/api/generated.ts'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  { files: ['src/**/*.{ts,tsx}'], plugins: { 'react-hooks': hooks }, rules: { ...hooks.configs.recommended.rules, 'react-hooks/incompatible-library': 'off' } },
  {
    files: ['**/*.mjs', '*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'URL', 'Buffer', 'setInterval', 'clearInterval', 'setTimeout', 'document', 'window', 'fetch', 'performance', 'localStorage'].map(
          (name) => [name, 'readonly'],
        ),
      ),
    },
  },
  { rules: { eqeqeq: ['error', 'always', { null: 'ignore' }], '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_', ignoreRestSiblings: true }], 'max-lines': ['error', 300], 'no-console': ['error', { allow: ['error'] }] } },
  // A catalogue is as long as its language.
  { files: ['src/words/*.ts'], rules: { 'max-lines': 'off' } },
  { files: ['**/*.mjs'], rules: { 'no-console': 'off' } },
];
