import { expect, test } from '@jest/globals';
import { checkKubeconfig } from './guard.ts';

const kubeconfig = (server: string, context: string, more = '') => `apiVersion: v1
clusters:
- cluster:
    server: ${server}
  name: ${context}
${more}contexts:
- context:
    cluster: ${context}
    user: ${context}
  name: ${context}
current-context: ${context}
`;

test('the kind cluster of this machine is let through', () => {
  expect(() => checkKubeconfig(kubeconfig('https://127.0.0.1:41234', 'kind-strata'))).not.toThrow();
});

test.each([
  ['a cluster elsewhere under its name', kubeconfig('https://10.0.0.7:6443', 'kind-strata')],
  ['another kind cluster', kubeconfig('https://127.0.0.1:41234', 'kind-other')],
  ['a production context', kubeconfig('https://api.example.com', 'production')],
  [
    'a file with a second cluster',
    kubeconfig('https://127.0.0.1:41234', 'kind-strata', '- cluster:\n    server: https://api.example.com\n'),
  ],
  ['an empty file', ''],
])('%s is refused', (_, text) => {
  expect(() => checkKubeconfig(text)).toThrow(/is not the kind cluster "strata" of this machine .*: nothing was done/);
});
