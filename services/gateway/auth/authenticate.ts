// `Authorization: Bearer …` -> who calls. A key, a JSON web token, or, where neither is configured, anybody.
import { AppError } from '#lib/platform/errors.ts';
import type { Logger } from '#lib/platform/log.ts';
import { type KeysOptions, openKeys } from './keys.ts';
import { anonymous, type Principal } from './principal.ts';
import { createTokenVerifier } from './tokens.ts';

export interface AuthConfig {
  readonly keysFile: string;
  readonly jwtIssuer: string;
  readonly jwtAudience: string;
  readonly jwtJwksUrl: string;
  readonly jwtJwksFile: string;
}

/** @throws {AppError} UNAUTHENTICATED with what to do */
export type Authenticate = (authorization: string | undefined) => Promise<Principal>;

export interface Authenticator {
  /** Nobody is asked who they are. */
  readonly isOpen: boolean;
  readonly authenticate: Authenticate;
  stop(): void;
}

const whatToDo = 'send it as "Authorization: Bearer <key>"';
const looksLikeToken = (text: string): boolean => text.split('.').length === 3;

/** @throws {ConfigError} where keys cannot be read */
export function createAuthenticator(config: AuthConfig, options: KeysOptions): Authenticator {
  const { log } = options;
  const keys = config.keysFile ? openKeys(config.keysFile, options) : undefined;
  const verify = config.jwtIssuer ? createTokenVerifier(toTokenOptions(config, log)) : undefined;
  const isOpen = !keys && !verify;
  const authenticate: Authenticate = async (authorization) => {
    if (isOpen) return anonymous;
    const [, credential] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (!credential) throw new AppError('UNAUTHENTICATED', `a key is needed: ${whatToDo}`);
    if (verify && (!keys || looksLikeToken(credential))) return verify(credential);
    if (keys) return keys.find(credential, new Date());
    throw new AppError('UNAUTHENTICATED', `a key is needed: ${whatToDo}`);
  };
  return { isOpen, authenticate, stop: () => keys?.stop() };
}

const toTokenOptions = (config: AuthConfig, log: Logger) => ({
  issuer: config.jwtIssuer,
  audience: config.jwtAudience,
  jwksUrl: config.jwtJwksUrl,
  jwksFile: config.jwtJwksFile,
  log,
});
