// Who did what: one log line for every management call and every refusal; for every change that was let through also an event.
import { createEvent, subjects } from '#lib/contracts/events.ts';
import type { EventBus } from '#lib/platform/event-bus.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Principal } from './principal.ts';

export interface AuditEntry {
  /** Of this call, made here. */
  requestId: string;
  /** Nobody, where the key was refused. */
  principal: Principal | undefined;
  /** `strata.trainer.v1.TrainerService/CreateRun`, `POST /v1/completions` */
  action: string;
  /** `runs/acme-poems`; empty where the call names nothing. */
  resource: string;
  /** `OK`, or an error's code. */
  outcome: string;
  /** The client's address, as it is seen here. */
  address: string;
}

export interface Audit {
  /** Never throws: what has been done is done. `isChange`: goes to the event bus as well. */
  record(entry: AuditEntry, options?: { isChange?: boolean }): void;
  /** Waits for events that are on their way. */
  flush(): Promise<void>;
}

export function createAudit({ log, events }: { log: Logger; events: Pick<EventBus, 'publish'> }): Audit {
  const underWay = new Set<Promise<void>>();
  return {
    record({ principal, ...entry }, { isChange = false } = {}) {
      const data = {
        key: principal?.name ?? '',
        kind: principal?.kind ?? '',
        tenant: principal?.tenant ?? '',
        ...entry,
      };
      log.info({ audit: true, ...data }, 'audit');
      if (!isChange) return;
      const id = `audit/${entry.requestId}`;
      const event = createEvent(subjects.auditRecorded, { id, source: 'gateway', about: entry.resource, data });
      const publishing = events
        .publish(event)
        .catch((error) =>
          log.error({ error, audit: true, requestId: entry.requestId }, 'an audit event could not be published'),
        )
        .finally(() => underWay.delete(publishing));
      underWay.add(publishing);
    },
    async flush() {
      await Promise.all(underWay);
    },
  };
}
