import { describeEventBus } from '../contract/event-bus.ts';
import { useNats } from './harness.fixture.ts';

const { createHarness } = useNats();

describeEventBus('NATS', createHarness);
