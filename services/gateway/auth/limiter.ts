// Rate limits, a key at a time: token buckets that hold a minute's worth, and a count of what is under way. Each replica counts for itself.
import type { Limits } from '#lib/platform/api-key.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Principal } from './principal.ts';

export interface Lease {
  /** Whether anybody wants to know of tokens. */
  readonly countsTokens: boolean;
  spend(tokens: number): void;
  leave(): void;
}

export interface Limiter {
  /** @throws {AppError} RESOURCE_EXHAUSTED with `retryAfterSeconds` among its details */
  enter(principal: Principal): Lease;
}

export interface LimiterOptions {
  /** For whoever has no limits of their own. */
  defaults: Limits;
  /** Milliseconds. */
  now: () => number;
}

interface Account {
  requests: Bucket;
  tokens: Bucket;
  running: number;
}

interface Bucket {
  /** What is left; tokens are counted afterwards, so that it may be less than nothing. */
  level: number;
  at: number;
}

const mostAccounts = 10_000;

export function createLimiter({ defaults, now }: LimiterOptions): Limiter {
  const accounts = new Map<string, Account>();

  const accountOf = (id: string, { requestsPerMinute = 0, tokensPerMinute = 0 }: Limits): Account => {
    const known = accounts.get(id);
    if (known) return known;
    if (accounts.size >= mostAccounts) forgetIdle(accounts, now());
    const at = now();
    const fresh = { requests: { level: requestsPerMinute, at }, tokens: { level: tokensPerMinute, at }, running: 0 };
    accounts.set(id, fresh);
    return fresh;
  };

  return {
    enter({ name, kind, limits }) {
      const { requestsPerMinute, tokensPerMinute, concurrent } = { ...defaults, ...limits };
      if (!requestsPerMinute && !tokensPerMinute && !concurrent) return freeLease;
      const account = accountOf(`${kind}/${name}`, { requestsPerMinute, tokensPerMinute });
      if (concurrent && account.running >= concurrent)
        throw exceeded(`${kind} "${name}" may have ${concurrent} calls at once`, 1);
      if (tokensPerMinute) {
        refill(account.tokens, tokensPerMinute, now());
        const missing = 1 - account.tokens.level;
        if (missing > 0)
          throw exceeded(
            `${kind} "${name}" may use ${tokensPerMinute} tokens a minute`,
            (missing * 60) / tokensPerMinute,
          );
      }
      if (requestsPerMinute) {
        refill(account.requests, requestsPerMinute, now());
        const missing = 1 - account.requests.level;
        if (missing > 0)
          throw exceeded(
            `${kind} "${name}" may make ${requestsPerMinute} requests a minute`,
            (missing * 60) / requestsPerMinute,
          );
        account.requests.level -= 1;
      }
      account.running += 1;
      let left = false;
      return {
        countsTokens: tokensPerMinute !== undefined,
        spend: (tokens) => {
          account.tokens.level -= tokens;
        },
        leave: () => {
          if (!left) account.running -= 1;
          left = true;
        },
      };
    },
  };
}

const freeLease: Lease = { countsTokens: false, spend: () => undefined, leave: () => undefined };

function refill(bucket: Bucket, perMinute: number, now: number): void {
  bucket.level = Math.min(perMinute, bucket.level + ((now - bucket.at) * perMinute) / 60_000);
  bucket.at = now;
}

/** Whoever has been away for a minute has full buckets anyway. */
function forgetIdle(accounts: Map<string, Account>, now: number): void {
  for (const [id, { requests, tokens, running }] of accounts) {
    if (!running && now - Math.max(requests.at, tokens.at) > 60_000) accounts.delete(id);
  }
}

function exceeded(what: string, seconds: number): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(seconds));
  return new AppError('RESOURCE_EXHAUSTED', `${what}: try again in ${retryAfterSeconds} s`, {
    details: { retryAfterSeconds },
  });
}
