// Events and state: what a broker is, whichever of them stands behind, and what a seam is opened with.
import type { EventBus } from './event-bus.ts';
import type { KeyValue } from './key-value.ts';
import type { Logger } from './log.ts';

export interface OpenOptions {
  /** Is told of events that could not be handled, connections that were lost, … */
  log?: Logger;
}

/** What carries events and holds state, which live and die together. */
export interface Broker {
  readonly events: EventBus;
  readonly state: KeyValue;
  close(): Promise<void>;
}
