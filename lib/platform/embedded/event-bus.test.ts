import { describeEventBus } from '../contract/event-bus.ts';
import { createEmbeddedHarness } from './harness.fixture.ts';

describeEventBus('SQLite', createEmbeddedHarness);
