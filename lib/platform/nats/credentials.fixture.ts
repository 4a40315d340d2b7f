// A server's accounts and a user's `.creds` file, as `nsc` makes them: tokens (JWT) that an operator's key and an account's key sign.
import { nkeys } from '@nats-io/transport-node';

type KeyPair = ReturnType<typeof nkeys.createUser>;

export interface Credentials {
  /** Lines of the server's configuration. */
  lines: string[];
  /** The content of the user's `.creds` file. */
  creds: string;
}

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');

function sign(issuer: KeyPair, subject: KeyPair, nats: Record<string, unknown>): string {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { jti: 'test', iat, iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name: 'test' };
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode({ ...claims, nats: { ...nats, version: 2 } })}`;
  return `${text}.${Buffer.from(issuer.sign(new TextEncoder().encode(text))).toString('base64url')}`;
}

const unlimited = Object.fromEntries(
  [
    'subs',
    'conn',
    'leaf',
    'data',
    'payload',
    'imports',
    'exports',
    'mem_storage',
    'disk_storage',
    'streams',
    'consumer',
  ].map((name) => [name, -1]),
);

export function createCredentials(): Credentials {
  const [operator, user] = [nkeys.createOperator(), nkeys.createUser()];
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()];
  const systemJwt = sign(operator, system, { type: 'account', limits: {} });
  const accountJwt = sign(operator, account, { type: 'account', limits: { ...unlimited, wildcards: true } });
  const userJwt = sign(account, user, { type: 'user', subs: -1, data: -1, payload: -1 });
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    lines: [
      `operator: "${sign(operator, operator, { type: 'operator' })}"`,
      'resolver: MEMORY',
      `system_account: ${system.getPublicKey()}`,
      `resolver_preload { ${system.getPublicKey()}: "${systemJwt}", ${account.getPublicKey()}: "${accountJwt}" }`,
    ],
    creds: [
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n`,
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    ].join('\n'),
  };
}
