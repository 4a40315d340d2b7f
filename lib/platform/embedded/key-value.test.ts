import { describeKeyValue } from '../contract/key-value.ts';
import { createEmbeddedHarness } from './harness.fixture.ts';

describeKeyValue('SQLite', createEmbeddedHarness);
