// JSON web tokens of an identity provider: signature, issuer, audience and time are checked; the claims `scope` and `tenant` say the rest.
import { createLocalJWKSet, createRemoteJWKSet, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { tenantPattern, tenantRule } from '#lib/contracts/keys.ts';
import { type Scope, scopes } from '#lib/platform/api-key.ts';
import { AppError } from '#lib/platform/errors.ts';
import { followFiles } from '#lib/platform/follow-files.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Principal } from './principal.ts';

export interface TokenOptions {
  issuer: string;
  audience: string;
  /** Exactly one of the two. */
  jwksUrl: string;
  jwksFile: string;
  log: Logger;
}

/** @throws {AppError} UNAUTHENTICATED with what is wrong; PERMISSION_DENIED for a token without a tenant */
export type VerifyToken = (token: string) => Promise<Principal>;

// Signatures only: with a shared secret whoever can check tokens could make them, and `none` is no signature.
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const clockTolerance = 30; // seconds

export function createTokenVerifier(options: TokenOptions): VerifyToken {
  const { issuer, audience, log } = options;
  const keyOf = options.jwksFile ? keysInFile(options.jwksFile, log) : createRemoteJWKSet(new URL(options.jwksUrl));
  return async (token) => {
    const requirements = { issuer, audience, algorithms, clockTolerance, requiredClaims: ['exp', 'sub'] };
    const { payload } = await jwtVerify(token, keyOf, requirements).catch((error) => {
      throw toAppError(error);
    });
    return toPrincipal(payload);
  };
}

function keysInFile(path: string, log: Logger): JWTVerifyGetKey {
  const followed = followFiles({
    files: { STRATA_GATEWAY_JWT_JWKS_FILE: path },
    parse: ([content]) => createLocalJWKSet(JSON.parse(String(content))),
    onProblem: (error) => log.error({ error }, 'the key set makes no sense; the old one goes on counting'),
  });
  return (header, token) => followed.current(header, token);
}

const reasons: Record<string, string> = {
  ERR_JWT_EXPIRED: 'has expired: get a new one',
  ERR_JOSE_ALG_NOT_ALLOWED: 'is signed in a way that is not accepted',
  ERR_JWKS_NO_MATCHING_KEY: 'is signed by a key that its issuer does not have',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'has a wrong signature',
};

function toAppError(error: Error & { code?: string; claim?: string }): AppError {
  const { code = '', claim } = error;
  if (reasons[code]) return new AppError('UNAUTHENTICATED', `the token ${reasons[code]}`, { cause: error });
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') {
    return new AppError('UNAUTHENTICATED', `the token's claim "${claim}" is not what this gateway asks for`, {
      cause: error,
    });
  }
  if (/^ERR_(JWT|JWS|JOSE_NOT_SUPPORTED)/.test(code)) {
    return new AppError('UNAUTHENTICATED', 'this is no token that can be read', { cause: error });
  }
  return new AppError('UNAVAILABLE', "the issuer's keys cannot be had just now: try again", { cause: error });
}

function toPrincipal({ sub = '', scope, tenant }: JWTPayload): Principal {
  const words: unknown[] = typeof scope === 'string' ? scope.split(' ') : Array.isArray(scope) ? scope : [];
  const granted = scopes.filter((one): one is Scope => words.includes(one));
  if (tenant === undefined && !granted.includes('admin')) {
    throw new AppError(
      'PERMISSION_DENIED',
      'the token names no tenant (claim "tenant"): only the scope "admin" goes without',
    );
  }
  if (tenant !== undefined && !(typeof tenant === 'string' && tenantPattern.test(tenant))) {
    throw new AppError('PERMISSION_DENIED', `the token's tenant ${tenantRule}`);
  }
  return { name: sub, kind: 'token', tenant: tenant as string | undefined, scopes: granted, limits: {} };
}
