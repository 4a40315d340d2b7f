// Clients of the services in the cluster, over the ports that the frame brought to this machine (STRATA_<SERVICE>_ADDRESS).
import { afterAll, beforeAll } from '@jest/globals';
import { loadConfig } from '../../../services/cli/config.ts';
import { connectServices, type Services } from '../../../services/cli/connect.ts';
import { createOutput } from '../../../services/cli/output.ts';
import { nowhere } from '../../support/silent-output.ts';

/** Call it once at the top of a story: the clients are there in its tests, and closed after them. */
export function useServices(): Services {
  const opened: { services?: Services } = {};
  beforeAll(async () => {
    const config = loadConfig();
    if (!config.remoteAddresses) throw new Error('stories run by `make e2e STORY=…`, which brings the services here');
    opened.services = await connectServices(config, createOutput({ json: true, stdout: nowhere(), stderr: nowhere() }));
  });
  afterAll(() => opened.services?.close());
  return new Proxy({} as Services, { get: (_, name) => opened.services?.[name as keyof Services] });
}
