import { describeKeyValue } from '../contract/key-value.ts';
import { useNats } from './harness.fixture.ts';

const { createHarness } = useNats();

describeKeyValue('NATS', createHarness);
