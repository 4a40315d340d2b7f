// Jest projects: unit (beside the code), parity (against golden files of peers), architecture, integration (real processes),
// training (slow, its own target), and e2e (the stories of `make e2e`, on a kind cluster).
const base = {
  testEnvironment: 'node',
  // Packages that are ESM only and that tests load.
  transformIgnorePatterns: [
    '/node_modules/(?!(@kubernetes/client-node|agent-base|d3-[a-z-]+|internmap|jose|oauth4webapi|openid-client|socks-proxy-agent)/)',
  ],
  transform: {
    '^.+\\.(ts|mjs|js)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } },
    ],
  },
  moduleNameMapper: { '^#lib/(.*)$': '<rootDir>/lib/$1' },
  sandboxInjectedGlobals: ['Math'],
};

const project = (displayName, testMatch) => ({ ...base, displayName, testMatch });

export default {
  testTimeout: 60_000,
  projects: [
    project('unit', ['<rootDir>/{lib,services,deploy,tests/e2e/frame}/**/*.test.ts']),
    project('parity', ['<rootDir>/tests/parity/**/*.test.ts']),
    project('architecture', ['<rootDir>/tests/architecture/**/*.test.ts']),
    project('integration', ['<rootDir>/tests/integration/**/*.test.ts']),
    project('charts', ['<rootDir>/tests/charts/**/*.test.ts']),
    project('e2e', ['<rootDir>/tests/e2e/!(frame)/*.test.ts']),
    project('training', ['<rootDir>/tests/training/**/*.test.ts']),
  ],
};
