// Who calls, and what they may.
import { type Limits, permits, type Scope } from '#lib/platform/api-key.ts';
import { AppError } from '#lib/platform/errors.ts';

export interface Principal {
  /** A key's name, a token's subject; `anonymous` where neither is asked for. */
  readonly name: string;
  readonly kind: 'key' | 'token' | 'open';
  /** Absent: the platform's own people, who see everything. */
  readonly tenant: string | undefined;
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
}

export const anonymous: Principal = {
  name: 'anonymous',
  kind: 'open',
  tenant: undefined,
  scopes: ['admin'],
  limits: {},
};

/** @throws {AppError} PERMISSION_DENIED that names the scope */
export function requireScope({ name, kind, scopes }: Principal, needed: Scope): void {
  if (permits(scopes, needed)) return;
  throw new AppError(
    'PERMISSION_DENIED',
    `this needs the scope "${needed}"; ${kind} "${name}" has ${scopes.join(', ') || 'none'}: ask for one that has it`,
  );
}
