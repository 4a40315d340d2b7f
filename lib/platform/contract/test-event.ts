// An event for the contract suites.
import type { StrataEvent } from '../event-bus.ts';

export const testEvent = (id: string, type = 'strata.test.happened', data: unknown = { id }): StrataEvent => ({
  specversion: '1.0',
  id,
  source: 'strata/test',
  type,
  time: '2026-01-01T00:00:00Z',
  datacontenttype: 'application/json',
  data,
});
