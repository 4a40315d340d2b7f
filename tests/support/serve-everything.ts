// Every service as a process of its own, for tests that kill it: `node serve-everything.ts HOME`. Its addresses are in HOME's lock.
import { loadConfig } from '../../services/cli/config.ts';
import { startAll } from '../../services/cli/up.ts';

const services = await startAll(loadConfig({ ...process.env, STRATA_HOME: process.argv[2] ?? '' }));
process.once('SIGTERM', () => void services.stop().then(() => process.exit(0)));
