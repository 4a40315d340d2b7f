// Every event bus, observed: what is published within a trace carries it, what is handled goes on in it, and both are counted.
import { fromUnknown } from '../errors.ts';
import type { EventBus, StrataEvent, SubscribeOptions } from '../event-bus.ts';
import type { ServiceTelemetry } from '../telemetry.ts';
import { secondsBuckets } from './metrics.ts';
import { notTraced } from './tracing.ts';

export function observeEvents(events: EventBus, { tracing, metrics }: ServiceTelemetry): EventBus {
  const published = metrics.counter('strata_events_published_total', {
    help: 'Events published, by subject.',
    labels: ['subject'],
  });
  const handled = metrics.counter('strata_events_handled_total', {
    help: 'Deliveries, by subscription, subject and result (OK, or the code of the error).',
    labels: ['durable', 'subject', 'result'],
  });
  const seconds = metrics.histogram('strata_events_handle_seconds', {
    help: 'How long handlers took.',
    labels: ['durable', 'subject'],
    buckets: secondsBuckets,
  });
  const durables = new Set<string>();
  metrics.observed('strata_events_waiting', {
    help: 'Events that a subscription has still to handle: its lag.',
    labels: ['durable'],
    read: () => each(durables, (durable) => events.waiting(durable)),
  });
  metrics.observed('strata_events_dead_letters', {
    help: 'Events that could not be handled and wait for a person.',
    labels: ['durable'],
    read: () => each(durables, (durable) => events.buried(durable)),
  });

  const observed = ({ handler, durable = '' }: SubscribeOptions): SubscribeOptions['handler'] => {
    const name = durable || 'passing';
    return async (event, delivery) => {
      const began = performance.now();
      const facts = { durable: name, subject: event.type };
      const done = (result: string): void => {
        handled.add({ ...facts, result });
        seconds.observe(facts, (performance.now() - began) / 1000);
      };
      const attributes = { ...attributesOf(event), 'messaging.consumer.group.name': name, attempt: delivery.attempt };
      const parent = event.traceparent ?? notTraced;
      try {
        await tracing.span(`process ${event.type}`, { kind: 'consumer', parent, attributes }, () =>
          handler(event, delivery),
        );
        done('OK');
      } catch (error) {
        done(fromUnknown(error).code);
        throw error;
      }
    };
  };

  return {
    ...events,
    async publish(event) {
      published.add({ subject: event.type });
      if (!tracing.traceparent()) return events.publish(event);
      const options = { kind: 'producer', attributes: attributesOf(event) } as const;
      await tracing.span(`publish ${event.type}`, options, () =>
        events.publish({ ...event, traceparent: tracing.traceparent() ?? '' }),
      );
    },
    subscribe(options) {
      if (options.durable) durables.add(options.durable);
      return events.subscribe({ ...options, handler: observed(options) });
    },
  };
}

const attributesOf = ({ id, type, subject }: StrataEvent) => ({
  'messaging.system': 'strata',
  'messaging.destination.name': type,
  'messaging.message.id': id,
  'strata.about': subject,
});

const each = (durables: Iterable<string>, count: (durable: string) => Promise<number>) =>
  Promise.all([...durables].map(async (durable) => [{ durable }, await count(durable)] as const));
