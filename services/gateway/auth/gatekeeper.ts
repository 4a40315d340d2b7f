// What every caller passes, over HTTP and over gRPC: who are you, may you do this, not too often; and the audit of it.
import type { Scope } from '#lib/platform/api-key.ts';
import { fromUnknown } from '#lib/platform/errors.ts';
import { createId } from '#lib/platform/ids.ts';
import type { Audit } from './audit.ts';
import type { Authenticate } from './authenticate.ts';
import type { Lease, Limiter } from './limiter.ts';
import { type Principal, requireScope } from './principal.ts';

export interface Visit {
  readonly requestId: string;
  readonly principal: Principal;
  readonly lease: Lease;
  /** What it turns out to be about. */
  resource: string;
  /** What it asks for is not the caller's. */
  isRefused: boolean;
  /** Ends the visit, once; the second call changes nothing. `error`: what it failed with. */
  end(error?: unknown): void;
}

export interface Arrival {
  authorization: string | undefined;
  scope: Scope;
  action: string;
  address: string;
}

export interface GatekeeperOptions {
  authenticate: Authenticate;
  limiter: Limiter;
  audit: Audit;
  /** Is told of the end of every visit, also of those that were not let in. */
  onEnd?: (action: string, outcome: string) => void;
}

export type Gatekeeper = (arrival: Arrival) => Promise<Visit>;

/** @throws {AppError} UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED; the refusal is in the audit then */
export function createGatekeeper({ authenticate, limiter, audit, onEnd }: GatekeeperOptions): Gatekeeper {
  return async ({ authorization, scope, action, address }) => {
    const requestId = createId();
    const about = { requestId, action, address };
    let principal: Principal | undefined;
    try {
      principal = await authenticate(authorization);
      requireScope(principal, scope);
      const lease = limiter.enter(principal);
      return createVisit({ requestId, principal, lease }, ({ resource, isRefused }, outcome) => {
        onEnd?.(action, outcome);
        // Reading tokens off a model is no management; being refused always is worth a line.
        if (scope === 'inference' && !isRefused) return;
        const isChange = scope === 'write' || scope === 'admin';
        audit.record({ ...about, principal, resource, outcome }, { isChange });
      });
    } catch (error) {
      onEnd?.(action, fromUnknown(error).code);
      audit.record({ ...about, principal, resource: '', outcome: fromUnknown(error).code });
      throw error;
    }
  };
}

type Ended = (visit: Visit, outcome: string) => void;

function createVisit(start: Pick<Visit, 'requestId' | 'principal' | 'lease'>, onEnd: Ended): Visit {
  let isOver = false;
  const visit: Visit = {
    ...start,
    resource: '',
    isRefused: false,
    end(error) {
      if (isOver) return;
      isOver = true;
      start.lease.leave();
      onEnd(visit, error === undefined ? 'OK' : fromUnknown(error).code);
    },
  };
  return visit;
}
